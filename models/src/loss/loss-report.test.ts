import { DataError } from "@saestitch/core";
import { describe, expect, test } from "vitest";
import { lossReport } from "./loss-report.ts";
import { emptyLossSums, type LossSums } from "./loss-sums.ts";

const of = (...values: number[]) => Float64Array.from(values);

const sums: LossSums = {
  tokens: 12,
  excluded: 2,
  variants: [{ name: "none", ablation: "zero" }, { name: "average", ablation: "mean" }, { name: "sae" }],
  documentIds: Int32Array.of(0, 4),
  predictions: of(4, 6),
  original: of(8, 12),
  crossEntropy: [of(28, 42), of(20, 30), of(12, 14)],
  divergence: [of(20, 30), of(12, 18), of(3, 2)],
};

describe("lossReport()", () => {
  test("gives nats per prediction, and what is recovered by both definitions", () => {
    const { original, variants, ...counts } = lossReport(sums);
    expect(counts).toEqual({ documents: 2, tokens: 12, excluded: 2, predictions: 10 });
    expect(original).toEqual({ crossEntropy: 2, perplexity: Math.exp(2) });
    const sae = variants[2];
    expect(sae).toMatchObject({ name: "sae", crossEntropy: 2.6, perplexity: Math.exp(2.6) });
    expect(sae.degradation?.value).toBeCloseTo(0.6, 12);
    expect(sae.divergence?.value).toBeCloseTo(0.5, 12);
    expect(sae.recoveredVsZero?.value).toBeCloseTo((2.6 - 7) / (2 - 7), 12);
    expect(sae.recoveredVsMean?.value).toBeCloseTo((2.6 - 5) / (2 - 5), 12);
    expect(variants[0].recoveredVsZero?.value).toBe(0);
    expect(variants[1].recoveredVsMean?.value).toBe(0);
    expect(variants[0].recoveredVsMean?.value).toBeCloseTo(-2 / 3, 12);
  });

  test("has the standard error of the paired difference, by document", () => {
    // Differences 4 of 4 predictions and 2 of 6, whose mean is 0.6: deviations 1.6 and −1.6.
    const { degradation } = lossReport(sums).variants[2];
    expect(degradation?.standardError).toBeCloseTo(Math.sqrt(2 * 2 * 1.6 ** 2) / 10, 12);
  });

  test("says null where there is nothing to compare with", () => {
    const [sae] = lossReport({
      ...sums,
      variants: [{ name: "zero" }],
      crossEntropy: sums.crossEntropy.slice(2),
      divergence: sums.divergence.slice(2),
    }).variants;
    expect(sae).toMatchObject({ recoveredVsZero: null, recoveredVsMean: null });
  });

  test("says null where ablation changes no loss", () => {
    const { variants } = lossReport({
      ...sums,
      crossEntropy: [sums.original, sums.crossEntropy[1], sums.crossEntropy[2]],
    });
    expect(variants.map(({ recoveredVsZero }) => recoveredVsZero)).toEqual([null, null, null]);
    expect(variants[2].recoveredVsMean).not.toBeNull();
  });

  test("says null of a variant whose losses are not finite, and of no other", () => {
    const broken = { ...sums, crossEntropy: [...sums.crossEntropy.slice(0, 2), of(Number.NaN, 1)] };
    const { variants } = lossReport(broken);
    expect(variants[2]).toMatchObject({
      crossEntropy: null,
      perplexity: null,
      degradation: null,
      recoveredVsZero: null,
      divergence: { value: 0.5 },
    });
    expect(variants[1]).toEqual(lossReport(sums).variants[1]);
  });

  test("says null of a perplexity beyond the largest number", () => {
    const [far] = lossReport({ ...sums, crossEntropy: [of(9000, 0), of(0, 0), of(0, 0)] }).variants;
    expect(far).toMatchObject({ crossEntropy: 900, perplexity: null });
  });

  test("refuses sums without a prediction", () => {
    expect(() => lossReport(emptyLossSums([]))).toThrow(DataError);
  });
});
