import { normal, seededRandom } from "@saestitch/core";
import { describe, expect, test } from "vitest";
import { ratioOfSums } from "./ratio-of-sums.ts";

const of = (...values: number[]) => Float64Array.from(values);

describe("ratioOfSums()", () => {
  test("with equal denominators is a mean and its standard error", () => {
    // Mean 4, variance (9 + 1 + 4 + 0) / 3, of four.
    expect(ratioOfSums(of(1, 5, 6, 4), of(1, 1, 1, 1))).toEqual({
      value: 4,
      standardError: expect.closeTo(Math.sqrt(14 / 3 / 4), 12),
    });
  });

  test("weighs documents by their denominators", () => {
    // Ratio 10 / 5; deviations 2 − 2 · 1, 5 − 2 · 2, 3 − 2 · 2.
    expect(ratioOfSums(of(2, 5, 3), of(1, 2, 2))).toEqual({
      value: 2,
      standardError: expect.closeTo(Math.sqrt((3 / 2) * (0 + 1 + 1)) / 5, 12),
    });
  });

  test("has the standard error by which the ratio varies from sample to sample", () => {
    const random = seededRandom(11);
    const samples = Array.from({ length: 400 }, () => {
      const tokens = Float64Array.from({ length: 60 }, () => 5 + Math.floor(random() * 40));
      return ratioOfSums(
        tokens.map((count) => count * (1 + 0.5 * normal(random))),
        tokens,
      );
    });
    const values = samples.map((sample) => sample?.value ?? Number.NaN);
    const mean = values.reduce((sum, value) => sum + value) / values.length;
    const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    const stated = samples.reduce((sum, sample) => sum + (sample?.standardError ?? Number.NaN), 0) / 400;
    expect(Math.abs(stated / spread - 1)).toBeLessThan(0.1);
  });

  test("is null where there is no finite ratio", () => {
    expect(ratioOfSums(of(), of())).toBeNull();
    expect(ratioOfSums(of(0, 0), of(0, 0))).toBeNull();
    expect(ratioOfSums(of(1, 2), of(1, -1))).toBeNull();
    expect(ratioOfSums(of(1, Number.NaN), of(1, 1))).toBeNull();
  });

  test("has no standard error with one document", () => {
    expect(ratioOfSums(of(3), of(2))).toEqual({ value: 1.5, standardError: null });
  });
});
