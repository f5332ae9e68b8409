import { expect, test } from "vitest";
import { normal, seededRandom } from "../linalg/random.ts";
import { bootstrapRoc } from "./bootstrap.ts";
import { bestThreshold, rocCurve } from "./roc.ts";

/** Cases with many ties: positives score about one step lower. */
function sample(count: number, seed: number) {
  const random = seededRandom(seed);
  const positives = Uint8Array.from({ length: count }, () => (random() < 0.4 ? 1 : 0));
  const scores = Float64Array.from(positives, (p) => Math.round(4 * (normal(random) - p)) / 4);
  return { scores, positives };
}

test("bootstrapRoc() equals the percentiles of rocCurve() on explicitly resampled cases", () => {
  const { scores, positives } = sample(40, 3);
  const replicates = 200;
  const intervals = bootstrapRoc(scores, positives, { replicates, random: seededRandom(9), level: 0.9 })!;
  const random = seededRandom(9);
  const areas: number[] = [];
  const thresholds: number[] = [];
  for (let r = 0; r < replicates; r++) {
    const chosen = Array.from(scores, () => Math.floor(random() * scores.length));
    const curve = rocCurve(
      chosen.map((i) => scores[i]),
      chosen.map((i) => positives[i]),
    )!;
    areas.push(curve.area);
    thresholds.push(bestThreshold(curve)!.threshold);
  }
  for (const [values, interval] of [
    [areas, intervals.area],
    [thresholds, intervals.threshold!],
  ] as const) {
    values.sort((a, b) => a - b);
    const at = (position: number) =>
      values[Math.floor(position)] +
      (position % 1) * (values[Math.ceil(position)] - values[Math.floor(position)]);
    expect(interval.lower).toBeCloseTo(at(0.05 * 199), 10);
    expect(interval.upper).toBeCloseTo(at(0.95 * 199), 10);
  }
  expect(intervals.replicates).toBe(replicates);
});

test("bootstrapRoc() covers the true area about as often as its level says", () => {
  // Φ(1/√2): the area for two unit normals one apart.
  const truth = 0.7602499389;
  let covered = 0;
  for (let seed = 0; seed < 200; seed++) {
    const random = seededRandom(seed);
    const positives = Uint8Array.from({ length: 120 }, (_, i) => i % 2);
    const scores = Float64Array.from(positives, (p) => normal(random) - p);
    const { area } = bootstrapRoc(scores, positives, { replicates: 200, random })!;
    if (area.lower <= truth && truth <= area.upper) covered++;
  }
  expect(covered).toBeGreaterThan(180);
  expect(covered).toBeLessThan(199);
});

test("bootstrapRoc() is null for one class, and has no threshold when all scores are equal", () => {
  const random = seededRandom(1);
  expect(bootstrapRoc([1, 2, 3], [1, 1, 1], { random })).toBeNull();
  const equal = bootstrapRoc([2, 2, 2, 2], [1, 0, 1, 0], { random, replicates: 100 })!;
  expect(equal.area).toEqual({ lower: 0.5, upper: 0.5 });
  expect(equal.threshold).toBeNull();
  expect(equal.replicates).toBeGreaterThan(70);
  expect(equal.replicates).toBeLessThan(100);
});
