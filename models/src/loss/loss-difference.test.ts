import { UnsupportedError } from "@saestitch/core";
import { describe, expect, test } from "vitest";
import { lossDifference } from "./loss-difference.ts";
import { lossReport } from "./loss-report.ts";
import type { LossSums } from "./loss-sums.ts";

const of = (...values: number[]) => Float64Array.from(values);

const sums: LossSums = {
  tokens: 12,
  excluded: 2,
  variants: [{ name: "host" }, { name: "inserted" }, { name: "unchanged" }],
  documentIds: Int32Array.of(0, 4),
  predictions: of(4, 6),
  original: of(8, 12),
  crossEntropy: [of(12, 14), of(10, 15), of(8, 12)],
  divergence: [of(3, 2), of(3, 2), of(0, 0)],
};

describe("lossDifference()", () => {
  test("is per prediction, negative where the first is better, with the error of the paired difference by document", () => {
    const difference = lossDifference(sums, "inserted", "host");
    // −2 of 4 predictions and +1 of 6, whose mean is −0.1: deviations −1.6 and 1.6.
    expect(difference?.value).toBeCloseTo(-0.1, 12);
    expect(difference?.standardError).toBeCloseTo(Math.sqrt(2 * 2 * 1.6 ** 2) / 10, 12);
    expect(lossDifference(sums, "host", "inserted")?.value).toBeCloseTo(0.1, 12);
    expect(lossDifference(sums, "host", "host")).toEqual({ value: 0, standardError: 0 });
  });

  test("against what loses nothing is the degradation of the report", () => {
    const [host] = lossReport(sums).variants;
    expect(lossDifference(sums, "host", "unchanged")).toEqual(host.degradation);
  });

  test("is null where a loss is not finite", () => {
    const broken = { ...sums, crossEntropy: [of(Number.NaN, 1), ...sums.crossEntropy.slice(1)] };
    expect(lossDifference(broken, "host", "inserted")).toBeNull();
    expect(lossDifference(broken, "inserted", "unchanged")).not.toBeNull();
  });

  test("refuses a name that no variant has", () => {
    expect(() => lossDifference(sums, "hosts", "host")).toThrow(UnsupportedError);
    expect(() => lossDifference(sums, "host", "zero")).toThrow("losses are of host, inserted, unchanged");
  });
});
