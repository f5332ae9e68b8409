import fc from "fast-check";
import { expect, test } from "vitest";
import golden from "../../../fixtures/statistics/roc.json" with { type: "json" };
import { DataError, ShapeError } from "../errors.ts";
import { bestThreshold, cutAt, rocCurve } from "./roc.ts";

const cases = fc.array(fc.record({ score: fc.integer({ min: -4, max: 4 }), positive: fc.boolean() }), {
  minLength: 1,
  maxLength: 25,
});

/** Area and rates by comparing all pairs and counting at each cut. */
function plain(scores: readonly number[], positives: readonly boolean[]) {
  let wins = 0;
  let pairs = 0;
  for (let i = 0; i < scores.length; i++)
    for (let j = 0; j < scores.length; j++)
      if (positives[i] && !positives[j]) {
        pairs++;
        wins += scores[i] < scores[j] ? 1 : scores[i] === scores[j] ? 0.5 : 0;
      }
  const rate = (cut: number, of: boolean) =>
    scores.filter((score, i) => positives[i] === of && score < cut).length /
    positives.filter((positive) => positive === of).length;
  return { area: wins / pairs, rate };
}

test("rocCurve() and bestThreshold() agree with scikit-learn, and the area with scipy's Mann–Whitney statistic", () => {
  for (const expected of golden.cases) {
    const curve = rocCurve(expected.scores, expected.positives)!;
    expect(curve.area).toBeCloseTo(expected.area, 13);
    expect(curve.area).toBeCloseTo(expected.mannWhitneyArea, 13);
    expect([...curve.truePositiveRates]).toEqual(expected.truePositiveRates);
    expect([...curve.falsePositiveRates]).toEqual(expected.falsePositiveRates);
    const best = bestThreshold(curve)!;
    expect(best.threshold).toBeCloseTo(expected.best.threshold, 13);
    expect(best.truePositiveRate).toBe(expected.best.truePositiveRate);
    expect(best.falsePositiveRate).toBe(expected.best.falsePositiveRate);
  }
});

test("rocCurve() agrees with counting all pairs and all cuts", () => {
  fc.assert(
    fc.property(cases, (drawn) => {
      const scores = drawn.map(({ score }) => score);
      const positives = drawn.map(({ positive }) => positive);
      const curve = rocCurve(scores, positives.map(Number));
      expect(curve === null).toBe(new Set(positives).size < 2);
      if (curve === null) return;
      const expected = plain(scores, positives);
      expect(curve.area).toBeCloseTo(expected.area, 12);
      curve.thresholds.forEach((cut, i) => {
        expect(curve.truePositiveRates[i]).toBeCloseTo(expected.rate(cut, true), 12);
        expect(curve.falsePositiveRates[i]).toBeCloseTo(expected.rate(cut, false), 12);
      });
    }),
  );
});

test("bestThreshold() has the greatest difference of rates of all cuts between two scores, the lowest of equals", () => {
  fc.assert(
    fc.property(cases, (drawn) => {
      const scores = drawn.map(({ score }) => score);
      const positives = drawn.map(({ positive }) => positive);
      const curve = rocCurve(scores, positives.map(Number));
      if (curve === null) return;
      const { rate } = plain(scores, positives);
      const distinct = [...new Set(scores)].sort((a, b) => a - b);
      let best: number | null = null;
      const j = (cut: number) => rate(cut, true) - rate(cut, false);
      for (let i = 1; i < distinct.length; i++) {
        const cut = (distinct[i - 1] + distinct[i]) / 2;
        if (best === null || j(cut) > j(best) + 1e-12) best = cut;
      }
      const found = bestThreshold(curve);
      expect(found === null).toBe(best === null);
      if (found !== null && best !== null)
        expect(found.truePositiveRate - found.falsePositiveRate).toBeCloseTo(j(best), 12);
    }),
  );
  const tied = rocCurve([1, 2, 3, 4], [1, 0, 1, 0])!;
  expect(bestThreshold(tied)).toEqual({ threshold: 1.5, truePositiveRate: 0.5, falsePositiveRate: 0 });
});

test("bestThreshold() separates two scores that are neighbours in floating point", () => {
  const upper = 1 + Number.EPSILON;
  const best = bestThreshold(rocCurve([1, upper], [1, 0])!)!;
  expect(1 < best.threshold && !(upper < best.threshold)).toBe(true);
});

test("cutAt() counts what lies strictly below a given threshold", () => {
  expect(cutAt([0.1, 0.7, 0.8, 0.2], [1, 1, 0, 0], 0.7)).toEqual({
    threshold: 0.7,
    truePositiveRate: 0.5,
    falsePositiveRate: 0.5,
  });
  expect(cutAt([0.1, 0.2], [1, 1], 0.7)).toBeNull();
});

test("rocCurve() is null for one class and for no cases, and refuses NaN and different lengths", () => {
  expect(rocCurve([1, 2], [0, 0])).toBeNull();
  expect(rocCurve([1, 2], [1, 1])).toBeNull();
  expect(rocCurve([], [])).toBeNull();
  expect(() => rocCurve([1, Number.NaN], [1, 0])).toThrow(DataError);
  expect(() => rocCurve([1, 2], [1])).toThrow(ShapeError);
});

test("bestThreshold() is null when all scores are equal", () => {
  expect(bestThreshold(rocCurve([3, 3, 3], [1, 0, 1])!)).toBeNull();
});
