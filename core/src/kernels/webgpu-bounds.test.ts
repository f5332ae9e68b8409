import fc from "fast-check";
import { expect, test } from "vitest";
import { dot } from "../linalg/dot.ts";
import { normal, seededRandom } from "../linalg/random.ts";
import { ABSENT, biasError, productError, screenBias, screenFloor } from "./webgpu-bounds.ts";

const float32 = fc.float({ noNaN: true });

test("screenFloor() is at most the next float32 above the floor, but for subnormal ones, and above the floor", () => {
  fc.assert(
    fc.property(float32, float32, (floor, other) => {
      const least = screenFloor(floor);
      expect(Math.fround(least)).toBe(least);
      expect(least === 0 || Math.abs(least) >= 2 ** -126).toBe(true);
      expect(Math.abs(least)).toBeLessThan(ABSENT);
      if (Math.abs(floor) < 2 ** 100) expect(least).toBeGreaterThan(floor);
      if (other > floor && Math.abs(other) < 2 ** 100)
        expect(other).toBeGreaterThanOrEqual(least - 2 ** -126);
    }),
  );
});

test.each([
  [0, 2 ** -126],
  [-0, 2 ** -126],
  [1, 1 + 2 ** -23],
  [-1, -1 + 2 ** -24],
  [1e-40, 2 ** -126],
  [-1e-40, 0],
  [-(2 ** -126), 0],
  [Number.NEGATIVE_INFINITY, -(2 ** 100)],
  [Number.POSITIVE_INFINITY, 2 ** 100],
  [Number.NaN, 2 ** 100],
])("screenFloor(%d) is %d", (floor, least) => {
  expect(screenFloor(floor)).toBe(Math.fround(least));
});

test("biasError() is more than four roundings of the bias, zero for none, and above every floor where the bias is left out", () => {
  fc.assert(
    fc.property(float32, (bias) => {
      const left = screenBias(bias) === 0 && bias !== 0;
      if (bias === 0) expect(biasError(bias)).toBe(0);
      else if (left) expect(biasError(bias)).toBeGreaterThan(screenFloor(Number.POSITIVE_INFINITY));
      else expect(biasError(bias)).toBeGreaterThan(Math.abs(bias) * 2 ** -22);
    }),
  );
  expect(biasError(Number.NaN)).toBeGreaterThan(2 ** 100);
  expect(screenBias(Number.NaN)).toBe(0);
});

test("productError() bounds what the order of a sum changes, with terms that cancel too", () => {
  const random = seededRandom(1);
  for (const d of [1, 2, 17, 64, 1000])
    for (let repeat = 0; repeat < 20; repeat++) {
      const x = Float32Array.from({ length: d }, () => normal(random) * 2 ** Math.floor(20 * random()));
      const w = Float32Array.from({ length: d }, (_, k) => (k % 2 ? -1 : 1) * (1 + random() / 64));
      for (let k = 1; k < d; k += 2) x[k] = x[k - 1];
      const forward = sumOf(x.map((value, k) => value * w[k]));
      const backward = sumOf(x.map((value, k) => value * w[k]).reverse());
      const bound = productError(d) * Math.sqrt(dot(x, x) * dot(w, w));
      expect(Math.abs(forward - backward)).toBeLessThanOrEqual(bound);
      expect(Math.abs(forward - dot(x, w))).toBeLessThanOrEqual(bound / 2);
    }
});

function sumOf(values: Float32Array): number {
  return values.reduce((sum, value) => Math.fround(sum + value), 0);
}
