import {
  activationsInMemory,
  codeSample,
  type Kernels,
  referenceKernels as kernels,
  matrix,
  measureTrajectory,
  type Normalization,
  row,
  type Sae,
  type Swap,
  seededRandom,
  trajectory,
  trajectoryBiases,
  UnsupportedError,
} from "@saestitch/core";
import { describe, expect, test } from "vitest";
import { largestDifference, plainForward } from "../../../core/test-support/plain-forward.ts";
import { everyActivation, randomMatrix, randomSae } from "../../../core/test-support/random-saes.ts";
import { linearModel, linearWeights } from "../../test-support/linear-model.ts";
import { drawnWindows, plainLosses, plainTotal } from "../../test-support/plain-loss.ts";
import { exchangeVariants, insertionVariant } from "./exchange-variants.ts";
import { saeVariant } from "./loss-variants.ts";
import { measureLoss } from "./measure-loss.ts";

const d = 6;
const steps: Swap[] = [
  { remove: [], insert: [3, 0] },
  { remove: [1, 2], insert: [5] },
  { remove: [0, 3, 4], insert: [1, 2, 4, 6, 7] },
];
const x = randomMatrix(seededRandom(8), 20, d);

function walkOf(normalization: Normalization = { kind: "none" }) {
  const random = seededRandom(4);
  const [smaller, larger] = [5, 8].map((latents) => randomSae(random, d, latents, { normalization }));
  return { smaller, larger, steps };
}

/** Σ f w over some latents of an SAE, in plain float64. */
function written(sae: Sae, latents: readonly number[], h: readonly number[]): number[] {
  const [{ code }] = plainForward(sae, matrix(1, h.length, Float32Array.from(h)));
  return h.map((_, c) => latents.reduce((sum, j) => sum + code[j] * row(sae.decoder, j)[c], 0));
}

const plainInserted = (host: Sae, donor: Sae, latents: readonly number[]) => (h: readonly number[]) => {
  const [{ reconstruction }] = plainForward(host, matrix(1, h.length, Float32Array.from(h)));
  const added = written(donor, latents, h);
  return reconstruction.map((value, c) => value + added[c]);
};

describe("exchangeVariants()", () => {
  test("writes what the latents that are left and those that have entered write", async () => {
    const walk = walkOf();
    const { smaller, larger } = walk;
    const variants = exchangeVariants(walk, [1, 2], kernels);
    const latents = [
      { kept: [0, 1, 2, 3, 4], entered: [3, 0] },
      { kept: [0, 3, 4], entered: [3, 0, 5] },
    ];
    for (const [v, { kept, entered }] of latents.entries()) {
      const expected = Array.from({ length: x.rows }, (_, i) => {
        const h = [...row(x, i)];
        const [ofHost, ofDonor] = [written(smaller, kept, h), written(larger, entered, h)];
        return h.map((_, c) => ofHost[c] + ofDonor[c] + smaller.decoderBias[c]);
      });
      const { values } = await variants[v].replace(x);
      expect(largestDifference(values, expected.flat())).toBeLessThan(1e-5);
    }
  });

  test.each([{ kind: "none" }, { kind: "unit-mean-square" }, { kind: "layer-norm" }] as const)(
    "has the squared error that trajectory() reports, under every rule for the bias, for normalisation $kind",
    async (normalization) => {
      const walk = walkOf(normalization);
      const coded = codeSample([walk.smaller, walk.larger], activationsInMemory(x), kernels);
      const sums = await measureTrajectory(coded, steps, kernels);
      const { path } = trajectory(walk, sums);
      for (const bias of trajectoryBiases) {
        const variants = exchangeVariants(walk, [0, 1, 2, 3], kernels, { bias, sums });
        for (const [step, variant] of variants.entries()) {
          const { values } = await variant.replace(x);
          const mse = values.reduce((sum, value, i) => sum + (value - x.values[i]) ** 2, 0) / values.length;
          expect(Math.abs(mse / path.mseBy[bias][step] - 1)).toBeLessThan(1e-5);
        }
      }
    },
  );

  test("begins as the smaller SAE and ends, with the donor's bias, as the larger", async () => {
    for (const activation of everyActivation(seededRandom(6), 8)) {
      const walk = { ...walkOf(), larger: randomSae(seededRandom(7), d, 8, { activation }) };
      const [start, end] = exchangeVariants(walk, [0, 3], kernels, { bias: "donor" });
      const [smaller, larger] = [walk.smaller, walk.larger].map((sae) => saeVariant("", sae, kernels));
      expect((await start.replace(x)).values).toEqual((await smaller.replace(x)).values);
      const reached = (await end.replace(x)).values;
      expect(largestDifference(reached, (await larger.replace(x)).values)).toBeLessThan(1e-5);
    }
  });

  test("may take the steps in any order, and encodes a batch once for all of them", async () => {
    let encoded = 0;
    const counting: Kernels = {
      ...kernels,
      encode: (...args) => {
        encoded++;
        return kernels.encode(...args);
      },
    };
    const walk = walkOf();
    const [third, first] = exchangeVariants(walk, [3, 1], counting, { name: (step) => `after ${step}` });
    expect([third.name, first.name]).toEqual(["after 3", "after 1"]);
    const replaced = [await third.replace(x), await first.replace(x)];
    expect(encoded).toBe(2);
    const other = randomMatrix(seededRandom(9), 3, d);
    await first.replace(other);
    expect(encoded).toBe(4);
    for (const [v, step] of [3, 1].entries()) {
      const [alone] = exchangeVariants(walk, [step], kernels);
      expect((await alone.replace(x)).values).toEqual(replaced[v].values);
    }
  });

  test("refuses steps that do not exist, refit without sums, and SAEs that latents cannot move between", () => {
    expect(() => exchangeVariants(walkOf(), [4], kernels)).toThrow("steps 0 to 3");
    expect(() => exchangeVariants(walkOf(), [0.5], kernels)).toThrow(UnsupportedError);
    expect(() => exchangeVariants(walkOf(), [1], kernels, { bias: "refit" })).toThrow(UnsupportedError);
    const { larger } = walkOf({ kind: "layer-norm" });
    expect(() => exchangeVariants({ ...walkOf(), larger }, [1], kernels)).toThrow(UnsupportedError);
  });
});

describe("insertionVariant()", () => {
  test("costs the loss of the host with the chosen latents beside it", async () => {
    const { smaller, larger } = walkOf();
    const weights = linearWeights(seededRandom(1), { d });
    const windows = drawnWindows(seededRandom(2));
    const model = linearModel(weights);
    const chosen = [[2], [6, 1, 4]];
    const variants = chosen.map((latents) =>
      insertionVariant(`with ${latents}`, smaller, larger, latents, kernels),
    );
    const sums = await measureLoss(model, model.hook, windows, variants, {
      processing: { centred: false },
    });
    for (const [v, latents] of chosen.entries()) {
      const plain = plainLosses(weights, windows, plainInserted(smaller, larger, latents));
      const [ce, kl] = [sums.crossEntropy[v], sums.divergence[v]].map((column) =>
        column.reduce((total, loss) => total + loss),
      );
      expect(Math.abs(ce / plainTotal(plain, "crossEntropy") - 1)).toBeLessThan(1e-5);
      expect(Math.abs(kl / plainTotal(plain, "divergence") - 1)).toBeLessThan(1e-4);
    }
    expect(sums.variants).toEqual([{ name: "with 2" }, { name: "with 6,1,4" }]);
  });

  test("refuses a latent that the donor does not have", () => {
    const { smaller, larger } = walkOf();
    expect(() => insertionVariant("beyond", smaller, larger, [8], kernels)).toThrow(UnsupportedError);
  });
});
