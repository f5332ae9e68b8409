import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { documentsOf } from "../../test-support/measure.ts";
import { denseCode } from "../../test-support/plain-forward.ts";
import { everyActivation, randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { codeSample } from "../codes/code-sample.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { label } from "../labelling/label.ts";
import { seededRandom } from "../linalg/random.ts";
import { encode, residual } from "../sae/encode.ts";
import type { Normalization, Sae } from "../sae/sae.ts";
import { type Matrix, row } from "../tensor/matrix.ts";
import type { Family } from "./families.ts";
import { type FamilySwaps, familySwaps } from "./family-swaps.ts";
import { measureSwaps } from "./measure-swaps.ts";

const d = 6;
const noKinship = {
  edges: [],
  isChild: new Uint8Array(0),
  along: new Float64Array(0),
  general: new Int32Array(0),
};
const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

/** The latents of both SAEs in `count` families by lot; some may have nothing on one side, or nothing at all. */
function drawFamilies(random: () => number, mSmaller: number, mLarger: number, count: number): Family[] {
  const lots = [mSmaller, mLarger].map((m) => Array.from({ length: m }, () => Math.floor(random() * count)));
  const members = (lot: number[], family: number) => Array.from(lot.keys()).filter((j) => lot[j] === family);
  return Array.from({ length: count }, (_, family) => ({
    smaller: members(lots[0], family),
    larger: members(lots[1], family),
  }));
}

async function measured(
  saes: readonly Sae[],
  x: Matrix,
  families: readonly Family[],
  documentIds?: Int32Array,
): Promise<FamilySwaps> {
  const coded = codeSample(saes, activationsInMemory(x, { ...(documentIds && { documentIds }) }), kernels);
  const { swaps } = await measureSwaps(
    coded,
    families,
    { ...noKinship, general: new Int32Array(saes[0].decoder.rows) },
    kernels,
  );
  const [smaller, larger] = await Promise.all(
    saes.map(async (sae) => {
      const code = denseCode((await encode(sae, x, kernels)).code);
      return Float64Array.from({ length: sae.decoder.rows }, (_, j) => code.filter((f) => f[j] !== 0).length);
    }),
  );
  return familySwaps(families, swaps, d, { smaller, larger }, 0.05);
}

/** Change of every token's squared error and number of active latents when a family is swapped, from outputs rebuilt in full. */
async function plainSwap([smaller, larger]: readonly Sae[], x: Matrix, family: Family) {
  const host = await encode(smaller, x, kernels);
  const donor = await encode(larger, x, kernels);
  const unexplained = await residual(smaller, x, host, kernels);
  const codes = [host, donor].map(({ contributions }) => denseCode(contributions));
  return Array.from({ length: x.rows }, (_, i) => {
    const before = [...row(unexplained, i)];
    const after = before.map(
      (value, k) =>
        value +
        total(family.smaller.map((j) => codes[0][i][j] * row(smaller.decoder, j)[k])) -
        total(family.larger.map((j) => codes[1][i][j] * row(larger.decoder, j)[k])),
    );
    const squares = (values: number[]) => total(values.map((value) => value ** 2));
    const active = (code: number[], latents: readonly number[]) =>
      latents.filter((j) => code[j] !== 0).length;
    return {
      sse: squares(after) - squares(before),
      l0: active(codes[1][i], family.larger) - active(codes[0][i], family.smaller),
    };
  });
}

describe("familySwaps()", () => {
  test("agrees with rebuilding every output, for every activation and normalisation", async () => {
    const normalizations: Normalization[] = [
      { kind: "none" },
      { kind: "layer-norm" },
      { kind: "unit-mean-square" },
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.nat(4),
        fc.constantFrom(...normalizations),
        async (seed, kind, normalization) => {
          const random = seededRandom(seed);
          const x = randomMatrix(random, 25, d);
          const saes = [5, 8].map((m) =>
            randomSae(random, d, m, { activation: everyActivation(random, m)[kind], normalization }),
          );
          const families = drawFamilies(random, 5, 8, 4);
          const swaps = await measured(saes, x, families);
          for (const [f, family] of families.entries()) {
            const plain = await plainSwap(saes, x, family);
            expect(swaps.deltaMse[f]).toBeCloseTo(total(plain.map(({ sse }) => sse)) / 25 / d, 5);
            expect(swaps.deltaL0[f]).toBeCloseTo(total(plain.map(({ l0 }) => l0)) / 25, 9);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test("gives a standard error from every document's sum", async () => {
    const random = seededRandom(5);
    const x = randomMatrix(random, 60, d);
    const documentIds = documentsOf(random, 60);
    const saes = [randomSae(random, d, 5), randomSae(random, d, 8)];
    const families = drawFamilies(random, 5, 8, 3);
    const { standardError } = await measured(saes, x, families, documentIds);
    const ids = [...new Set(documentIds)];
    for (const [f, family] of families.entries()) {
      const delta = (await plainSwap(saes, x, family)).map(({ sse }) => sse);
      const mean = total(delta) / 60;
      const squares = ids.map(
        (id) => total(delta.map((value, i) => (documentIds[i] === id ? value - mean : 0))) ** 2,
      );
      const expected = Math.sqrt((total(squares) * ids.length) / (ids.length - 1)) / 60 / d;
      expect(standardError[f]).toBeCloseTo(expected, 7);
    }
  });

  test("gives a lone latent of the larger SAE what labelling gives it", async () => {
    for (const kind of [0, 1, 2, 3, 4]) {
      const random = seededRandom(kind);
      const x = randomMatrix(random, 80, d);
      const documentIds = documentsOf(random, 80);
      const saes = [5, 9].map((m) =>
        randomSae(random, d, m, { activation: everyActivation(random, m)[kind] }),
      );
      const families = Array.from({ length: 9 }, (_, j) => ({ smaller: [], larger: [j] }));
      const swaps = await measured(saes, x, families, documentIds);
      const { latents } = await label(saes[0], saes[1], activationsInMemory(x, { documentIds }), kernels);
      const scale = latents.deltaMse.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      for (let j = 0; j < 9; j++) {
        expect(Math.abs(swaps.deltaMse[j] - latents.deltaMse[j])).toBeLessThanOrEqual(1e-6 * scale);
        expect(Math.abs(swaps.standardError[j] - latents.standardError[j])).toBeLessThanOrEqual(1e-6 * scale);
        expect(swaps.deltaL0[j]).toBeCloseTo(latents.density[j], 12);
      }
      const effects = {
        novel: "improves",
        reconstruction: "worsens",
        undecided: "undecided",
        dead: "silent",
      };
      expect(swaps.effect).toEqual(latents.verdict.map((verdict) => effects[verdict]));
    }
  });

  test("changes nothing by swapping latents for their exact copies", async () => {
    const random = seededRandom(8);
    const sae = randomSae(random, d, 7);
    const swaps = await measured([sae, sae], randomMatrix(random, 50, d), [
      { smaller: [0, 3], larger: [0, 3] },
      { smaller: [5], larger: [5] },
    ]);
    for (const delta of swaps.deltaMse) expect(Math.abs(delta)).toBeLessThan(1e-6);
    expect([...swaps.deltaL0]).toEqual([0, 0]);
  });

  test("calls a family silent when none of its latents ever fires", async () => {
    const random = seededRandom(9);
    const silent = { ...randomSae(random, d, 4), encoderBias: new Float32Array(4).fill(-1e6) };
    const swaps = await measured([silent, silent], randomMatrix(random, 20, d), [
      { smaller: [1], larger: [2, 3] },
      { smaller: [], larger: [] },
    ]);
    expect(swaps.effect).toEqual(["silent", "silent"]);
    expect([...swaps.deltaMse, ...swaps.pValue]).toEqual([0, 0, Number.NaN, Number.NaN]);
  });
});
