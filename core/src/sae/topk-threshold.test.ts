import fc from "fast-check";
import { expect, test } from "vitest";
import { plainForward } from "../../test-support/plain-forward.ts";
import { randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { DataError, UnsupportedError } from "../errors.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { type Matrix, row, rowRange } from "../tensor/matrix.ts";
import { encode } from "./encode.ts";
import { everyNormalization } from "./sae.conformance.ts";
import { topkThreshold } from "./topk-threshold.ts";

const d = 6;

/** A matrix as batches of five rows, and how often they were asked for. */
function batchesOf(x: Matrix) {
  let asked = 0;
  const activations = () => {
    asked++;
    const starts = Array.from({ length: Math.ceil(x.rows / 5) }, (_, b) => 5 * b);
    return starts.map((start) => rowRange(x, start, Math.min(x.rows, start + 5)));
  };
  return { activations, asked: () => asked };
}

test("topkThreshold() is the largest of all positive pre-activations but for the k · rows largest", async () => {
  const drawn = fc.record({
    seed: fc.integer(),
    m: fc.integer({ min: 1, max: 40 }),
    k: fc.integer({ min: 1, max: 4 }),
    rows: fc.integer({ min: 1, max: 23 }),
    normalization: fc.constantFrom(...everyNormalization),
  });
  await fc.assert(
    fc.asyncProperty(drawn, async ({ seed, m, k, rows, normalization }) => {
      const random = seededRandom(seed);
      const sae = randomSae(random, d, m, {
        activation: { kind: "topk", k: Math.min(k, m) },
        normalization,
      });
      // Tokens of very different size, so that some have many latents above the threshold and others none.
      const x = randomMatrix(random, rows, d);
      for (let i = 0; i < rows; i++) row(x, i).set(row(x, i).map((value) => value * 2 ** (i % 7)));
      const found = await topkThreshold(sae, batchesOf(x).activations, referenceKernels);
      const pooled = plainForward({ ...sae, activation: { kind: "relu" } }, x)
        .flatMap(({ code }) => code.filter((value) => value > 0))
        .sort((a, b) => b - a);
      const wanted = pooled[Math.min(k, m) * rows] ?? 0;
      expect(Math.abs(found.threshold - wanted)).toBeLessThanOrEqual(1e-5 * Math.max(1, wanted));
      expect(found.rows).toBe(rows);
    }),
  );
});

test("topkThreshold() lets k latents per token fire on its sample, where so many are positive", async () => {
  const random = seededRandom(11);
  const sae = randomSae(random, d, 60, { activation: { kind: "topk", k: 5 } });
  const x = randomMatrix(random, 200, d, 1.5);
  const found = await topkThreshold(sae, batchesOf(x).activations, referenceKernels);
  const { code } = await encode(found.sae, x, referenceKernels);
  expect(code.values.length).toBe(5 * 200);
  expect(found.sae.activation).toEqual({ kind: "batchtopk", threshold: found.threshold });
  expect(found.sae.folds.map(({ kind }) => kind)).toEqual(["threshold-form"]);
});

test("topkThreshold() looks a second time only where a token has more than 4 k latents above the threshold", async () => {
  const random = seededRandom(2);
  const sae = randomSae(random, d, 80, { activation: { kind: "topk", k: 3 } });
  const even = batchesOf(randomMatrix(random, 40, d, 1));
  await topkThreshold(sae, even.activations, referenceKernels);
  const x = randomMatrix(random, 40, d, 0.01);
  for (let i = 0; i < 3; i++) row(x, i).fill(100 * (i + 1));
  const uneven = batchesOf(x);
  const quiet = { ...sae, encoderBias: sae.encoderBias.map(() => 0), inputBias: sae.inputBias.map(() => 0) };
  await topkThreshold(quiet, uneven.activations, referenceKernels);
  expect([even.asked(), uneven.asked()]).toEqual([1, 2]);
});

test("topkThreshold() is 0 when fewer than k latents per token are positive", async () => {
  const random = seededRandom(3);
  const sae = randomSae(random, d, 8, { activation: { kind: "topk", k: 8 } });
  const found = await topkThreshold(sae, batchesOf(randomMatrix(random, 9, d)).activations, referenceKernels);
  expect(found.threshold).toBe(0);
});

test("topkThreshold() reads no more rows than it is allowed", async () => {
  const random = seededRandom(4);
  const sae = randomSae(random, d, 20, { activation: { kind: "topk", k: 2 } });
  const x = randomMatrix(random, 30, d);
  const some = await topkThreshold(sae, batchesOf(x).activations, referenceKernels, { mostRows: 12 });
  const first = await topkThreshold(sae, () => [rowRange(x, 0, 12)], referenceKernels);
  expect([some.rows, some.threshold]).toEqual([12, first.threshold]);
});

test("topkThreshold() refuses an empty sample and other activations", async () => {
  const sae = randomSae(seededRandom(5), d, 8, { activation: { kind: "topk", k: 2 } });
  await expect(topkThreshold(sae, () => [], referenceKernels)).rejects.toThrow(DataError);
  const relu = randomSae(seededRandom(5), d, 8);
  await expect(topkThreshold(relu, () => [], referenceKernels)).rejects.toThrow(UnsupportedError);
});
