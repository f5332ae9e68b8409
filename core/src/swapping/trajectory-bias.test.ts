import { describe, expect, test } from "vitest";
import { largestDifference } from "../../test-support/plain-forward.ts";
import { randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { codeSample } from "../codes/code-sample.ts";
import { ShapeError, UnsupportedError } from "../errors.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import type { Normalization } from "../sae/sae.ts";
import { zeros } from "../tensor/matrix.ts";
import type { Swap } from "./exchange.ts";
import { trajectory } from "./trajectory.ts";
import { decoderBiasAt, trajectoryBiases } from "./trajectory-bias.ts";
import { measureTrajectory } from "./trajectory-measure.ts";

const d = 6;
const steps: Swap[] = [
  { remove: [], insert: [3, 0] },
  { remove: [1, 2], insert: [5] },
  { remove: [0], insert: [] },
];

async function walkOf(normalization: Normalization, x = randomMatrix(seededRandom(3), 20, d)) {
  const random = seededRandom(2);
  const [smaller, larger] = [5, 8].map((latents) => randomSae(random, d, latents, { normalization }));
  const walk = { smaller, larger, steps };
  const measure = (host = smaller) =>
    measureTrajectory(codeSample([host, larger], activationsInMemory(x), kernels), steps, kernels);
  return { walk, sums: await measure(), measure };
}

describe("decoderBiasAt()", () => {
  test.each([{ kind: "none" }, { kind: "unit-mean-square" }, { kind: "layer-norm" }] as const)(
    "gives the bias whose error trajectory() reports, under every rule, for normalisation $kind",
    async (normalization) => {
      const { walk, sums, measure } = await walkOf(normalization);
      const { path } = trajectory(walk, sums);
      for (const rule of trajectoryBiases)
        for (let step = 0; step <= steps.length; step++) {
          const host = { ...walk.smaller, decoderBias: decoderBiasAt(walk, step, rule, sums) };
          const held = trajectory({ ...walk, smaller: host }, await measure(host), { bias: "host" });
          expect(Math.abs(held.path.mse[step] / path.mseBy[rule][step] - 1)).toBeLessThan(1e-6);
        }
    },
  );

  test("goes from the smaller SAE's bias to exactly the larger's", async () => {
    const { walk } = await walkOf({ kind: "none" });
    const { smaller, larger } = walk;
    expect(decoderBiasAt(walk, 0, "donor")).toEqual(smaller.decoderBias);
    expect(decoderBiasAt(walk, 1, "donor")).toEqual(larger.decoderBias);
    expect(decoderBiasAt(walk, 3, "host")).toEqual(smaller.decoderBias);
    const share = 5 / 13;
    const between = smaller.decoderBias.map((value, c) => value + share * (larger.decoderBias[c] - value));
    expect(largestDifference(decoderBiasAt(walk, 2, "interpolate"), between)).toBeLessThan(1e-6);
  });

  test("under refit leaves the bias where no token has a scale", async () => {
    const { walk, sums } = await walkOf({ kind: "unit-mean-square" }, zeros(4, d));
    expect(decoderBiasAt(walk, 2, "refit", sums)).toEqual(walk.smaller.decoderBias);
  });

  test("under refit wants the sums of these steps", async () => {
    const { walk, sums } = await walkOf({ kind: "none" });
    expect(() => decoderBiasAt(walk, 1, "refit")).toThrow(UnsupportedError);
    const shorter = { ...walk, steps: steps.slice(1) };
    expect(() => decoderBiasAt(shorter, 1, "refit", sums)).toThrow(ShapeError);
  });
});
