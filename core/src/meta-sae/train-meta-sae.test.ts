import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plantedDirections } from "../../test-support/planted-directions.ts";
import { DataError, ShapeError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { createWasmKernels } from "../kernels/wasm-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import type { Sae } from "../sae/sae.ts";
import { rowRange, zeros } from "../tensor/matrix.ts";
import type { StepReport } from "../training/training-run.ts";
import { decompose, explainDirections } from "./decompose.ts";
import { type MetaRecipe, metaRecipes, metaTraining } from "./meta-recipe.ts";
import { randomDirections } from "./random-directions.ts";
import { replaceDirections } from "./replace-directions.ts";
import { trainMetaSae, tuneEncoder } from "./train-meta-sae.ts";

const { hidden, larger } = plantedDirections(7);
const n = larger.directions.rows;
/** The published rate and number of steps suit thousands of directions. */
const recipe: MetaRecipe = { ...metaRecipes.saebench, k: 3, steps: 400, batchRows: 256, rate: 3e-3 };
const latents = hidden.rows + 8;
const training = metaTraining(recipe, n, { latents, seed: 3 });

let kernels: Kernels;
let metaSae: Sae;
const reports: StepReport[] = [];
beforeAll(async () => {
  kernels = await createWasmKernels();
  metaSae = await trainMetaSae(larger, training, { kernels, onStep: (report) => reports.push(report) });
});
afterAll(() => kernels.close());

describe("trainMetaSae()", () => {
  test("recovers the directions that the larger SAE's directions are sums of", async () => {
    const { cosines } = await kernels.match(hidden, metaSae.decoder, 1);
    expect(cosines.filter((cosine) => cosine > 0.95).length).toBeGreaterThan(0.8 * hidden.rows);
    const { varianceExplained } = await explainDirections(metaSae, larger.directions, kernels);
    expect(varianceExplained).toBeGreaterThan(0.95);
  });

  test("reports every step", () => {
    expect(reports.map(({ step }) => step)).toEqual(Array.from({ length: 400 }, (_, t) => t + 1));
  });

  test("gives the same bits for the same options, others for another seed", async () => {
    const short = metaTraining({ ...recipe, steps: 3 }, n, { latents });
    const again = await trainMetaSae(larger, short, { kernels });
    expect(await trainMetaSae(larger, short, { kernels })).toEqual(again);
    const other = metaTraining({ ...recipe, steps: 3 }, n, { latents, seed: 1 });
    expect((await trainMetaSae(larger, other, { kernels })).decoder).not.toEqual(again.decoder);
  });

  test("gives a threshold at which inference is batch top-k over all directions", async () => {
    const { encoder, encoderBias, activation } = metaSae;
    const input = zeros(n, larger.directions.columns);
    larger.directions.values.forEach((value, at) => {
      input.values[at] = value - metaSae.inputBias[at % input.columns];
    });
    const all = await kernels.encode(input, encoder, encoderBias, { kind: "top", count: encoder.rows });
    const largest = all.values
      .slice()
      .sort()
      .reverse()
      .subarray(0, 3 * n);
    const code = await decompose(metaSae, larger.directions, kernels);
    expect(activation.kind).toBe("batchtopk");
    expect(code.values.slice().sort().reverse()).toEqual(largest);
  });

  test("trains on fewer directions than a batch, as one batch", async () => {
    const few = { location: "a few", directions: rowRange(larger.directions, 0, 40) };
    const short = metaTraining({ ...metaRecipes.leask, steps: 2 }, 40, { latents: 6 });
    expect(short.data.batchRows).toBe(40);
    expect((await trainMetaSae(few, short, { kernels })).decoder.rows).toBe(6);
  });

  test("refuses as many active meta-latents as there are, and directions that are not finite", async () => {
    const greedy = metaTraining(recipe, n, { latents: 3 });
    await expect(trainMetaSae(larger, greedy, { kernels })).rejects.toThrow(ShapeError);
    const broken = zeros(300, 4);
    broken.values.fill(Number.NaN);
    const ofBroken = { location: "broken", directions: broken };
    await expect(trainMetaSae(ofBroken, metaTraining(recipe, 300), { kernels })).rejects.toThrow(DataError);
  });
});

describe("tuneEncoder()", () => {
  test("begins where the meta-SAE is, whatever it subtracts from its input", async () => {
    const still = metaTraining({ ...recipe, rate: 1e-12, steps: 1 }, n, { latents });
    const shifted = {
      ...metaSae,
      inputBias: metaSae.inputBias.map((value, c) => value + 0.05 * c),
      encoderBias: metaSae.encoderBias.map((value, j) => value + 0.01 * (j % 5)),
    };
    const tuned = await tuneEncoder(shifted, larger, still, { kernels });
    const top = (sae: Sae) => {
      const activation = { kind: "topk", k: 5 } as const;
      return decompose({ ...sae, activation }, larger.directions, referenceKernels);
    };
    const [before, after] = [await top(shifted), await top(tuned)];
    expect(after.indices).toEqual(before.indices);
    before.values.forEach((value, entry) => {
      expect(after.values[entry]).toBeCloseTo(value, 4);
    });
  });

  test("moves the encoder only, and makes better use of directions that are not its own", async () => {
    const replaced = replaceDirections(
      metaSae,
      randomDirections(latents, larger.directions.columns, seededRandom(8)),
    );
    const tuned = await tuneEncoder(replaced, larger, training, { kernels });
    expect(tuned.decoder).toEqual(replaced.decoder);
    expect(tuned.decoderBias).toEqual(replaced.decoderBias);
    const fit = (sae: Sae) => explainDirections(sae, larger.directions, kernels);
    const [before, after, learned] = [await fit(replaced), await fit(tuned), await fit(metaSae)];
    expect(before.varianceExplained).toBeLessThan(0);
    expect(after.varianceExplained).toBeGreaterThan(0.1);
    expect(after.varianceExplained).toBeLessThan(learned.varianceExplained - 0.3);
  });
});

test("metaRecipes hold the published widths", () => {
  expect(metaTraining(metaRecipes.leask, 49152).options.latents).toBe(2304);
  expect(metaTraining(metaRecipes.saebench, 16384).options.latents).toBe(4096);
});
