import { describe, expect, test } from "vitest";
import { randomMatrix, randomSae } from "../../test-support/random-saes.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { codeSample } from "../codes/code-sample.ts";
import { DataError, ShapeError, UnsupportedError } from "../errors.ts";
import { referenceKernels as kernels } from "../kernels/reference-kernels.ts";
import { label } from "../labelling/label.ts";
import { normal, seededRandom } from "../linalg/random.ts";
import type { Normalization, Sae } from "../sae/sae.ts";
import { zeros } from "../tensor/matrix.ts";
import type { Swap } from "./exchange.ts";
import { ROUNDING, trajectory } from "./trajectory.ts";
import { trajectoryBiases } from "./trajectory-bias.ts";
import { measureTrajectory } from "./trajectory-measure.ts";
import { emptyTrajectorySums, mergeTrajectorySums, type TrajectorySums } from "./trajectory-sums.ts";

const d = 6;
const steps: Swap[] = [
  { remove: [], insert: [3, 0] },
  { remove: [1, 2], insert: [5] },
  { remove: [0], insert: [] },
];

function twoSaes(seed: number, normalization: Normalization = { kind: "none" }) {
  const random = seededRandom(seed);
  const [smaller, larger] = [5, 8].map((latents) => randomSae(random, d, latents, { normalization }));
  return { random, smaller, larger };
}

const coded = (saes: readonly Sae[], x = randomMatrix(seededRandom(8), 20, d)) =>
  codeSample(saes, activationsInMemory(x), kernels);

/** An SAE whose latents read and write along the axes given, without any bias. */
function axes(ofLatents: readonly number[]): Sae {
  const decoder = zeros(ofLatents.length, d);
  ofLatents.forEach((axis, j) => {
    decoder.values[j * d + axis] = 1;
  });
  return {
    ...randomSae(seededRandom(1), d, ofLatents.length),
    encoder: decoder,
    decoder,
    encoderBias: new Float32Array(ofLatents.length),
    decoderBias: new Float32Array(d),
    inputBias: new Float32Array(d),
  };
}

describe("trajectory()", () => {
  test("counts what has left and what has entered", async () => {
    const { smaller, larger } = twoSaes(1);
    const sums = await measureTrajectory(coded([smaller, larger]), steps, kernels);
    const { path, ends, tokens } = trajectory({ smaller, larger, steps }, sums);
    expect([...path.removed]).toEqual([0, 0, 2, 3]);
    expect([...path.inserted]).toEqual([0, 2, 3, 3]);
    expect([...path.latents]).toEqual([5, 7, 6, 5]);
    expect(tokens).toBe(20);
    expect(ends.end).toBeNull();
  });

  test("shows the rule for the bias that is asked for, and all of them beside it", async () => {
    const { smaller, larger } = twoSaes(2);
    const sums = await measureTrajectory(coded([smaller, larger]), steps, kernels);
    const paths = trajectoryBiases.map((bias) => trajectory({ smaller, larger, steps }, sums, { bias }).path);
    paths.forEach((path, rule) => {
      expect(path.mse).toEqual(paths[0].mseBy[trajectoryBiases[rule]]);
      expect(path.mseBy).toEqual(paths[0].mseBy);
      for (let k = 1; k < path.mse.length; k++) expect(path.deltaMse[k]).toBe(path.mse[k] - path.mse[k - 1]);
    });
    const [host, interpolate, refit, donor] = paths.map(({ mse }) => [...mse]);
    expect(new Set([host[3], interpolate[3], refit[3], donor[3]]).size).toBe(4);
    for (const other of [host, interpolate, donor])
      other.forEach((mse, k) => {
        expect(mse).toBeGreaterThanOrEqual(refit[k]);
      });
    expect([interpolate[0], donor[0]]).toEqual([host[0], host[0]]);
  });

  test("under refit changes at the first step as label() with a re-fitted bias", async () => {
    const { smaller, larger } = twoSaes(3);
    const x = randomMatrix(seededRandom(4), 30, d);
    const { latents } = await label(smaller, larger, activationsInMemory(x), kernels, { bias: "refit" });
    for (let j = 0; j < 8; j++) {
      const inserting = [{ remove: [], insert: [j] }];
      const sums = await measureTrajectory(coded([smaller, larger], x), inserting, kernels);
      const { path } = trajectory({ smaller, larger, steps: inserting }, sums, { bias: "refit" });
      expect(Math.abs(path.deltaMse[1] - latents.deltaMse[j]) / path.mse[0]).toBeLessThan(1e-6);
    }
  });

  test("names the steps at which the error rises", async () => {
    // Tokens lie along axes 0 to 3, so latents of axes 4 and 5 are dead and a second one of an axis writes it twice.
    const random = seededRandom(5);
    const x = zeros(50, d);
    for (let i = 0; i < x.rows; i++) x.values[i * d + (i % 4)] = Math.abs(normal(random));
    const [smaller, larger] = [axes([0]), axes([1, 0, 4, 2, 3])];
    const order = [[0], [1], [2], [3]].map((insert) => ({ remove: [] as number[], insert }));
    const plan = [...order, { remove: [0], insert: [4] }];
    const sums = await measureTrajectory(coded([smaller, larger], x), plan, kernels);
    const { path, rises, ends } = trajectory({ smaller, larger, steps: plan }, sums);
    expect([...rises.steps]).toEqual([2]);
    expect(rises.largestStep).toBe(2);
    expect(rises.largest).toBe(path.deltaMse[2]);
    expect(rises.total).toBe(path.deltaMse[2]);
    expect(path.deltaMse[3]).toBe(0);
    expect(path.deltaMse[4]).toBeLessThan(-ROUNDING);
    expect(path.mse[5]).toBeCloseTo(0, 12);
    expect(path.varianceExplained[5]).toBeCloseTo(1, 10);
    expect(ends.end?.reached).toBe(path.mse[5]);
  });

  test("reports no rise where there is none", async () => {
    const [smaller, larger] = [axes([0]), axes([1])];
    const plan = [{ remove: [], insert: [0] }];
    const sums = await measureTrajectory(coded([smaller, larger]), plan, kernels);
    const { rises } = trajectory({ smaller, larger, steps: plan }, sums);
    expect(rises).toEqual({ steps: new Int32Array(0), largestStep: 0, largest: 0, total: 0 });
  });

  test("compares its ends with what was measured elsewhere", async () => {
    const { smaller, larger } = twoSaes(6);
    const plan = [{ remove: [0, 1, 2, 3, 4], insert: [0, 1, 2, 3, 4, 5, 6, 7] }];
    const sums = await measureTrajectory(coded([smaller, larger]), plan, kernels);
    const { ends, path } = trajectory({ smaller, larger, steps: plan }, sums, {
      measured: { smaller: path0(sums) / 2, larger: 4 },
    });
    expect(ends.start.relativeDifference).toBeCloseTo(1, 12);
    expect(ends.end).toEqual({
      reached: path.mseBy.donor[1],
      measured: 4,
      relativeDifference: path.mseBy.donor[1] / 4 - 1,
    });
  });

  test("under refit has no better bias where no token has a scale", async () => {
    const { smaller, larger } = twoSaes(7, { kind: "unit-mean-square" });
    const sums = await measureTrajectory(coded([smaller, larger], zeros(4, d)), steps, kernels);
    const { path } = trajectory({ smaller, larger, steps }, sums, { bias: "refit" });
    expect([...path.mse]).toEqual([0, 0, 0, 0]);
  });

  test("refuses sums of no tokens and sums over other steps", async () => {
    const { smaller, larger } = twoSaes(9);
    const empty = emptyTrajectorySums(d, { smaller: 5, larger: 8, positions: 6 });
    expect(() => trajectory({ smaller, larger, steps }, empty)).toThrow(DataError);
    const sums = await measureTrajectory(coded([smaller, larger]), steps.slice(1), kernels);
    expect(() => trajectory({ smaller, larger, steps }, sums)).toThrow(ShapeError);
  });
});

describe("measureTrajectory()", () => {
  test("tells the rows done and leaves out those that do not count", async () => {
    const { random, smaller, larger } = twoSaes(10);
    const x = randomMatrix(random, 12, d);
    const excluded = Uint8Array.from(x.values.subarray(0, 12), (_, i) => (i % 4 === 0 ? 1 : 0));
    x.values[5 * d] = Number.NaN;
    const done: number[] = [];
    const sums = await measureTrajectory(
      codeSample([smaller, larger], activationsInMemory(x, { excluded }), kernels, { skipNonFinite: true }),
      steps,
      kernels,
      { onRows: (rows) => done.push(rows) },
    );
    expect(done.at(-1)).toBe(12);
    expect(sums).toMatchObject({ excluded: 3, nonFinite: 1, smaller: { tokens: 8 }, larger: { tokens: 8 } });
  });

  test("refuses other than two SAEs, and steps that move a latent twice or one that is not there", async () => {
    const { smaller, larger } = twoSaes(11);
    await expect(measureTrajectory(coded([smaller]), steps, kernels)).rejects.toThrow(UnsupportedError);
    const pair = coded([smaller, larger]);
    const twice = [...steps, { remove: [], insert: [5] }];
    await expect(measureTrajectory(pair, twice, kernels)).rejects.toThrow(
      "Step 4 inserts latent 5 of the larger SAE, which step 2 inserts already",
    );
    await expect(measureTrajectory(pair, [{ remove: [5], insert: [] }], kernels)).rejects.toThrow(
      "Step 1 removes latent 5 of the smaller SAE",
    );
  });
});

describe("mergeTrajectorySums()", () => {
  test.each<Normalization>([{ kind: "none" }, { kind: "layer-norm" }])(
    "of two halves gives the trajectory of the whole, normalisation %o",
    async (normalization) => {
      const { random, smaller, larger } = twoSaes(12, normalization);
      const x = randomMatrix(random, 20, d);
      const part = (start: number, end: number) =>
        measureTrajectory(
          coded([smaller, larger], {
            rows: end - start,
            columns: d,
            values: x.values.slice(start * d, end * d),
          }),
          steps,
          kernels,
        );
      const [whole, first, second] = await Promise.all([part(0, 20), part(0, 7), part(7, 20)]);
      const before = structuredClone(first);
      const merged = mergeTrajectorySums(first, second);
      expect(first).toEqual(before);
      const expected = trajectory({ smaller, larger, steps }, whole).path;
      const { path } = trajectory({ smaller, larger, steps }, merged);
      expect(path.l0).toEqual(expected.l0);
      expectClose(path.varianceExplained, expected.varianceExplained);
      for (const rule of trajectoryBiases) expectClose(path.mseBy[rule], expected.mseBy[rule]);
      expectClose(merged.deltaSse, whole.deltaSse);
      expect(merged.larger.sse).toBeCloseTo(whole.larger.sse, 10);
      expect(mergeTrajectorySums(whole, emptyLike(whole))).toEqual(whole);
    },
  );

  test("adds up the rows left out, and refuses sums over other steps", () => {
    const empty = (positions: number) => emptyTrajectorySums(d, { smaller: 2, larger: 3, positions });
    const left = { ...empty(4), excluded: 2, nonFinite: 1 };
    expect(mergeTrajectorySums(left, left)).toMatchObject({ excluded: 4, nonFinite: 2 });
    expect(() => mergeTrajectorySums(empty(4), empty(3))).toThrow(ShapeError);
  });
});

function emptyLike({ smaller, larger, deltaSse }: TrajectorySums): TrajectorySums {
  return emptyTrajectorySums(d, {
    smaller: smaller.firings.length,
    larger: larger.firings.length,
    positions: deltaSse.length,
  });
}

function expectClose(actual: Float64Array, expected: Float64Array): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, k) => {
    expect(value).toBeCloseTo(expected[k], 10);
  });
}

function path0({ smaller }: TrajectorySums): number {
  return smaller.sse / smaller.tokens / d;
}
