import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { denseCode } from "../../test-support/plain-forward.ts";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { DataError, ShapeError, UnsupportedError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { createWasmKernels } from "../kernels/wasm-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { type Matrix, matrix, row, zeros } from "../tensor/matrix.ts";
import { directionFit } from "./direction-fit.ts";
import { matchingPursuit } from "./matching-pursuit.ts";
import { randomDirections } from "./random-directions.ts";

const inner = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, c) => sum + value * b[c], 0);
const rowsOf = (m: Matrix) => Array.from({ length: m.rows }, (_, i) => [...row(m, i)]);

/** x as a sum of `members`, by least squares: each in turn made orthogonal to those before (Gram–Schmidt, twice). */
function plainLeastSquares(members: readonly number[][], x: readonly number[]): number[] {
  const basis: number[][] = [];
  /** Each basis vector as a sum of members. */
  const recipes: number[][] = [];
  members.forEach((member, t) => {
    let vector = [...member];
    let recipe = members.map((_, s): number => (s === t ? 1 : 0));
    for (let round = 0; round < 2; round++)
      basis.forEach((axis, s) => {
        const along = inner(vector, axis);
        vector = vector.map((value, c) => value - along * axis[c]);
        recipe = recipe.map((value, r) => value - along * recipes[s][r]);
      });
    const length = Math.sqrt(inner(vector, vector));
    basis.push(vector.map((value) => value / length));
    recipes.push(recipe.map((value) => value / length));
  });
  return members.map((_, r) => basis.reduce((sum, axis, s) => sum + inner(axis, x) * recipes[s][r], 0));
}

/** Matching pursuit as its definition says, in float64: strengths of all rows of the dictionary. */
function plainPursuit(
  x: readonly number[],
  dictionary: readonly number[][],
  k: number,
  anySign: boolean,
): number[] {
  const strengths = dictionary.map(() => 0);
  const residualOf = () =>
    x.map((value, c) => value - dictionary.reduce((sum, member, j) => sum + strengths[j] * member[c], 0));
  for (let step = 0; step < 2 * k; step++) {
    const left = residualOf();
    const closeness = dictionary.map((member, j) => {
      if (strengths[j] !== 0) return 0;
      const cosine = inner(member, left) / Math.sqrt(inner(member, member) * inner(left, left));
      return anySign ? Math.abs(cosine) : cosine;
    });
    const best = closeness.indexOf(Math.max(...closeness));
    if (!(closeness[best] > 1e-5) || Math.sqrt(inner(left, left)) < 1e-6 * Math.sqrt(inner(x, x))) break;
    let chosen = [...dictionary.keys()].filter((j) => strengths[j] !== 0 || j === best);
    for (;;) {
      const wanted = plainLeastSquares(
        chosen.map((j) => dictionary[j]),
        x,
      );
      const steps = chosen.map((j, t) =>
        anySign || wanted[t] > 0 ? Infinity : strengths[j] / (strengths[j] - wanted[t]),
      );
      const share = Math.min(1, ...steps);
      chosen.forEach((j, t) => {
        strengths[j] = steps[t] <= share ? 0 : strengths[j] + share * (wanted[t] - strengths[j]);
      });
      const kept = chosen.filter((_, t) => steps[t] > share);
      if (kept.length === chosen.length) break;
      chosen = kept;
    }
    if (strengths.filter((strength) => strength !== 0).length === k) break;
  }
  return strengths;
}

describe.each([
  ["reference", async () => referenceKernels],
  ["wasm", createWasmKernels],
] as const)("matchingPursuit() on %s kernels", (_, open) => {
  let kernels: Kernels;
  beforeAll(async () => {
    kernels = await open();
  });
  afterAll(() => kernels.close());

  test.each(["non-negative", "any"] as const)(
    "gives what its definition gives, strengths %s",
    async (strengths) => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 3, max: 10 }),
          fc.integer({ min: 1, max: 30 }),
          fc.integer({ min: 1, max: 5 }),
          fc.integer(),
          async (d, s, k, seed) => {
            const random = seededRandom(seed);
            const dictionary = randomMatrix(random, s, d, 0.7);
            const targets = randomMatrix(random, 6, d);
            const code = await matchingPursuit(targets, dictionary, k, kernels, { strengths, batchRows: 4 });
            const expected = rowsOf(targets).map((x) =>
              plainPursuit(x, rowsOf(dictionary), k, strengths === "any"),
            );
            expect(code.columns).toBe(s);
            denseCode(code).forEach((values, i) => {
              values.forEach((value, j) => {
                expect(value).toBeCloseTo(expected[i][j], 3);
              });
            });
          },
        ),
        { numRuns: 60 },
      );
    },
  );

  test("finds what sparse sums were made of, exactly, with few enough parts", async () => {
    const random = seededRandom(5);
    const dictionary = randomDirections(40, 64, random);
    const targets = zeros(30, 64);
    const parts = Array.from({ length: targets.rows }, () => new Map<number, number>());
    parts.forEach((made, i) => {
      while (made.size < 3) made.set(Math.floor(random() * 40), 0.7 + random());
      for (const [j, strength] of made)
        row(dictionary, j).forEach((value, c) => {
          row(targets, i)[c] += strength * value;
        });
    });
    const code = await matchingPursuit(targets, dictionary, 8, kernels);
    const fit = await directionFit(targets, { code, decoder: dictionary }, kernels);
    expect(fit.varianceExplained).toBeGreaterThan(1 - 1e-9);
    expect(fit.l0).toBeLessThan(3.3);
    denseCode(code).forEach((values, i) => {
      for (const [j, strength] of parts[i]) expect(values[j]).toBeCloseTo(strength, 4);
    });
  });

  test("takes the first of equal rows, and never two that say the same", async () => {
    const member = Float32Array.of(0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0);
    const dictionary = matrix(5, 3, member);
    const code = await matchingPursuit(matrix(1, 3, Float32Array.of(1, 3, 2)), dictionary, 4, kernels);
    expect([...code.indices]).toEqual([0, 1]);
    expect([...code.values]).toEqual([2, 3]);
  });

  test("stops at rows that are sums of those it has", async () => {
    const dictionary = matrix(3, 3, Float32Array.of(1, 0, 0, 1, 1, 0, 0, 1, 0));
    const code = await matchingPursuit(matrix(1, 3, Float32Array.of(2, 1, 7)), dictionary, 3, kernels);
    const fit = await kernels.decode(code, dictionary, matrix(1, 3, Float32Array.of(2, 1, 7)), -1);
    [0, 0, 7].forEach((value, c) => {
      expect(fit.values[c]).toBeCloseTo(value, 5);
    });
    expect(code.indices.length).toBeLessThanOrEqual(2);
  });

  test("gives no parts to a target that nothing explains, or that is zero", async () => {
    const dictionary = matrix(2, 3, Float32Array.of(1, 0, 0, 0, 0, 0));
    const targets = matrix(3, 3, Float32Array.of(0, 1, 0, 0, 0, 0, -1, 0, 0));
    const code = await matchingPursuit(targets, dictionary, 2, kernels);
    expect([...code.offsets]).toEqual([0, 0, 0, 0]);
    const anySign = await matchingPursuit(targets, dictionary, 2, kernels, { strengths: "any" });
    expect([...anySign.offsets]).toEqual([0, 0, 0, 1]);
    expect([...anySign.values]).toEqual([-1]);
  });
});

test("matchingPursuit() with room for every row ends where no positive strength helps any more", async () => {
  const random = seededRandom(9);
  const dictionary = randomMatrix(random, 12, 8);
  const targets = randomMatrix(random, 40, 8);
  const code = await matchingPursuit(targets, dictionary, 12, referenceKernels);
  const left = await referenceKernels.decode(code, dictionary, targets, -1);
  rowsOf(left).forEach((residual, i) => {
    const active = new Set(code.indices.subarray(code.offsets[i], code.offsets[i + 1]));
    rowsOf(dictionary).forEach((member, j) => {
      const slope = inner(member, residual);
      expect(active.has(j) ? Math.abs(slope) : Math.max(0, slope)).toBeLessThan(1e-4);
    });
  });
});

test("a row that no longer helps leaves, and its place is used again", async () => {
  // The first row is closest to the target, but once the axes are there, its third element does harm only.
  const dictionary = matrix(4, 4, Float32Array.of(1, 1, 0.5, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1));
  const target = matrix(1, 4, Float32Array.of(1, 1, -0.05, 0.01));
  const code = async (k: number) =>
    denseCode(await matchingPursuit(target, dictionary, k, referenceKernels))[0].map((value) =>
      Number(value.toFixed(5)),
    );
  expect((await code(1))[0]).toBeGreaterThan(0.8);
  expect((await code(2)).map(Math.sign)).toEqual([1, 1, 0, 0]);
  expect(await code(3)).toEqual([0, 1, 1, 0.01]);
});

test("matchingPursuit() reports the rows done, and refuses what it cannot do", async () => {
  const random = seededRandom(1);
  const m = randomMatrix(random, 5, 3);
  const done: number[] = [];
  await matchingPursuit(m, m, 1, referenceKernels, { batchRows: 2, onRows: (rows) => done.push(rows) });
  expect(done).toEqual([2, 4, 5]);
  await expect(matchingPursuit(m, randomMatrix(random, 5, 4), 1, referenceKernels)).rejects.toThrow(
    ShapeError,
  );
  await expect(matchingPursuit(m, m, 0, referenceKernels)).rejects.toThrow(UnsupportedError);
  const broken = zeros(1, 3);
  broken.values[1] = Number.NaN;
  await expect(matchingPursuit(broken, m, 1, referenceKernels)).rejects.toThrow(DataError);
});
