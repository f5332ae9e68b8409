import { expect, test } from "vitest";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { cosineNull, judgeCosine } from "./cosine-predictor.ts";

test("judgeCosine() finds the cut between novel and reconstruction latents, dead ones left out", () => {
  const cosine = Float32Array.of(0.2, 0.4, 0.5, 0.9, 0.1);
  const deltaMse = Float64Array.of(-1, -2, 3, 1, 5);
  const fired = Float64Array.of(1, 1, 1, 1, 0);
  const { auc, best, published } = judgeCosine(cosine, deltaMse, fired, seededRandom(1));
  expect(auc).toBe(1);
  expect(best).toEqual({ threshold: expect.closeTo(0.45, 6), truePositiveRate: 1, falsePositiveRate: 0 });
  expect(published).toEqual({ threshold: 0.7, truePositiveRate: 1, falsePositiveRate: 0.5 });
});

test("judgeCosine() has nothing to say when every latent improves", () => {
  const judged = judgeCosine(
    Float32Array.of(0.2, 0.4),
    Float64Array.of(-1, -2),
    Float64Array.of(1, 1),
    seededRandom(1),
  );
  expect(judged).toEqual({
    auc: null,
    aucInterval: null,
    best: null,
    thresholdInterval: null,
    published: null,
  });
});

test("judgeCosine() gives the same intervals for the same seed", () => {
  const random = seededRandom(2);
  const cosine = Float32Array.from({ length: 50 }, random);
  const deltaMse = Float64Array.from(cosine, (value) => value + random() - 1);
  const fired = new Float64Array(50).fill(1);
  const judge = () => judgeCosine(cosine, deltaMse, fired, seededRandom(7));
  expect(judge()).toEqual(judge());
  expect(judge().aucInterval?.lower).toBeLessThan(judge().auc as number);
});

test("cosineNull() of one direction in three dimensions is uniform, as Archimedes found", async () => {
  const direction = randomMatrix(seededRandom(3), 1, 3);
  const { mean, percentile95, percentile99 } = await cosineNull(direction, kernels, seededRandom(4), {
    count: 20000,
  });
  expect(mean).toBeCloseTo(0, 1);
  expect(percentile95).toBeCloseTo(0.9, 2);
  expect(percentile99).toBeCloseTo(0.98, 2);
});

test("cosineNull() rises with the number of directions there are to be close to", async () => {
  const random = seededRandom(5);
  const few = await cosineNull(randomMatrix(random, 4, 16), kernels, random, { count: 300 });
  const many = await cosineNull(randomMatrix(random, 400, 16), kernels, random, { count: 300 });
  expect(many.mean).toBeGreaterThan(few.percentile95);
});
