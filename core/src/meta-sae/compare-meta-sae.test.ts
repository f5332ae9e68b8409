import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plantedDirections } from "../../test-support/planted-directions.ts";
import { ShapeError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { createWasmKernels } from "../kernels/wasm-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { zeros } from "../tensor/matrix.ts";
import { compareMetaSae, comparisonParts, type MetaComparison } from "./compare-meta-sae.ts";
import { explainDirections } from "./decompose.ts";
import { metaRecipes, metaTraining } from "./meta-recipe.ts";
import { randomDirections } from "./random-directions.ts";
import { trainMetaSae } from "./train-meta-sae.ts";
import type { UnitDirections } from "./unit-directions.ts";

/** `rows` as an SAE's directions. */
function unitOf(directions: UnitDirections["directions"]): UnitDirections {
  const latents = Int32Array.from({ length: directions.rows }, (_, i) => i);
  return { location: "made", directions, latents, zeroLatents: new Int32Array(0) };
}

describe("compareMetaSae(), where the smaller SAE has what the larger one's directions are sums of,", () => {
  const { hidden, larger } = plantedDirections(7);
  const training = metaTraining(
    { ...metaRecipes.saebench, k: 3, steps: 250, batchRows: 256, rate: 3e-3 },
    larger.directions.rows,
    { latents: hidden.rows + 8, seed: 3 },
  );
  let kernels: Kernels;
  let comparison: MetaComparison;
  const parts: string[] = [];
  let steps = 0;
  const regressed: (readonly [number, number])[] = [];
  beforeAll(async () => {
    kernels = await createWasmKernels();
    const metaSae = await trainMetaSae(larger, training, { kernels });
    comparison = await compareMetaSae(metaSae, larger, unitOf(hidden), training, {
      kernels,
      onPart: (part) => parts.push(part),
      onStep: () => steps++,
      onRegressed: (done, of) => regressed.push([done, of]),
    });
    expect(comparison.learned).toEqual(await explainDirections(metaSae, larger.directions, kernels));
  });
  afterAll(() => kernels.close());

  test("explains far more than it would of random directions", () => {
    expect(comparison.learned.varianceExplained).toBeGreaterThan(0.9);
    expect(comparison.randomDirections.varianceExplained).toBeLessThan(0.6);
    expect(comparison.randomDirections.l0).toBeCloseTo(3, 6);
  });

  test("explains most with the nearest directions of the smaller SAE, more when tuned to them, and little with random ones", () => {
    const { nearest, randomDecoder } = comparison;
    expect(nearest.before.varianceExplained).toBeGreaterThan(0.6);
    // Not all: the meta-SAE's own directions lean away from its decoder bias, which stays.
    expect(nearest.after.varianceExplained).toBeGreaterThan(nearest.before.varianceExplained + 0.03);
    expect(randomDecoder.before.varianceExplained).toBeLessThan(0);
    expect(randomDecoder.after.varianceExplained).toBeLessThan(nearest.after.varianceExplained - 0.3);
  });

  test("regression on the smaller SAE explains all, on random directions much less", () => {
    const { smaller, smallerAnySign, random, own } = comparison.pursuit;
    expect(smaller.varianceExplained).toBeGreaterThan(0.99);
    expect(smaller.varianceExplained).toBeGreaterThan(comparison.learned.varianceExplained);
    expect(smallerAnySign.varianceExplained).toBeGreaterThan(0.99);
    expect(random.varianceExplained).toBeLessThan(0.6);
    expect(own.varianceExplained).toBeGreaterThan(0.9);
    for (const { l0 } of [smaller, smallerAnySign, random, own]) expect(l0).toBeLessThan(3 + 1e-9);
  });

  test("finds the smaller SAE's directions near the meta-latents, and the larger one's less so", () => {
    const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value / values.length, 0);
    expect(mean(comparison.toSmaller.cosines)).toBeGreaterThan(mean(comparison.toLarger.cosines));
    expect(comparison.toSmaller.count).toBe(1);
    expect(comparison.toSmaller.indices).toHaveLength(hidden.rows + 8);
  });

  test("says which part it is at, and how far", () => {
    expect(parts).toEqual(comparisonParts);
    expect(steps).toBe(3 * 250);
    const { rows } = larger.directions;
    expect(regressed).toEqual([1, 2, 3, 4].map((pass) => [pass * rows, 4 * rows]));
  });
});

test("compareMetaSae() refuses a smaller SAE of another width", async () => {
  const kernels = await createWasmKernels();
  const { larger } = plantedDirections(1, { count: 64 });
  const training = metaTraining({ ...metaRecipes.saebench, steps: 1 }, 64);
  const metaSae = await trainMetaSae(larger, training, { kernels });
  const smaller = unitOf(randomDirections(8, 5, seededRandom(1)));
  await expect(compareMetaSae(metaSae, larger, smaller, training, { kernels })).rejects.toThrow(ShapeError);
  await expect(
    compareMetaSae(metaSae, unitOf(zeros(64, 5)), unitOf(larger.directions), training, { kernels }),
  ).rejects.toThrow(ShapeError);
  await kernels.close();
});
