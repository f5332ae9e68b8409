import { ShapeError } from "@saestitch/core";
import { describe, expect, test } from "vitest";
import { emptyLossSums, LossAccumulator, type LossSums, mergeLossSums } from "./loss-sums.ts";

const variants = [{ name: "zero", ablation: "zero" }, { name: "sae" }] as const;

/** Sums of predictions given as [document, loss]; a variant's loss is the loss times its number + 2, its divergence that plus 0.5. */
function sumsOf(...predictions: [number, number][]): LossSums {
  const sums = new LossAccumulator(variants);
  const counted = {
    entries: Int32Array.from(predictions.keys()),
    documentIds: Int32Array.from(predictions, ([document]) => document),
  };
  const losses = (scale: number) => ({
    crossEntropy: Float32Array.from(predictions, ([, loss]) => loss * scale),
    divergence: Float32Array.from(predictions, ([, loss]) => loss * scale + 0.5),
  });
  sums.addOriginal(counted, losses(1));
  variants.forEach((_, v) => {
    sums.addVariant(v, counted, losses(v + 2));
  });
  sums.tokens = predictions.length + 3;
  sums.excluded = 3;
  return sums.sums();
}

describe("LossAccumulator", () => {
  test("sums within documents, which are listed in order", () => {
    expect(sumsOf([7, 1], [2, 10], [7, 2])).toEqual({
      tokens: 6,
      excluded: 3,
      variants,
      documentIds: Int32Array.of(2, 7),
      predictions: Float64Array.of(1, 2),
      original: Float64Array.of(10, 3),
      crossEntropy: [Float64Array.of(20, 6), Float64Array.of(30, 9)],
      divergence: [Float64Array.of(20.5, 7), Float64Array.of(30.5, 10)],
    });
  });

  test("reads only the entries that count", () => {
    const sums = new LossAccumulator([]);
    const crossEntropy = Float32Array.of(Number.NaN, 4, Number.NaN, 8);
    const counted = { entries: Int32Array.of(1, 3), documentIds: Int32Array.of(0, 0) };
    sums.addOriginal(counted, { crossEntropy, divergence: crossEntropy });
    expect([...sums.sums().original]).toEqual([12]);
  });
});

describe("mergeLossSums()", () => {
  const [a, b] = [sumsOf([0, 1], [1, 2]), sumsOf([1, 4], [5, 8])];

  test("joins a document that was cut", () => {
    const whole = sumsOf([0, 1], [1, 2], [1, 4], [5, 8]);
    expect(mergeLossSums(a, b)).toEqual({ ...whole, tokens: 10, excluded: 6 });
    expect(mergeLossSums(b, a)).toEqual(mergeLossSums(a, b));
  });

  test("with the sums of nothing changes nothing, nor its arguments", () => {
    const before = structuredClone(a);
    expect(mergeLossSums(emptyLossSums(variants), a)).toEqual(before);
    mergeLossSums(a, b);
    expect(a).toEqual(before);
  });

  test("gives plain data, which a worker can send", () => {
    expect(structuredClone(a)).toEqual(a);
  });

  test("refuses sums of other variants", () => {
    expect(() => mergeLossSums(a, emptyLossSums([{ name: "sae" }]))).toThrow(ShapeError);
    expect(() => mergeLossSums(a, emptyLossSums([{ name: "zero" }, { name: "sae" }]))).toThrow(ShapeError);
  });
});
