import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ShapeError } from "../errors.ts";
import { type Random, seededRandom } from "../linalg/random.ts";
import { type Matrix, matrix, row, rowRange, zeros } from "../tensor/matrix.ts";
import { codeRows } from "./code-rows.ts";
import { expectUpdated, type Updated } from "./expected-update.conformance.ts";
import type { AdamStep, GradientTerm, Kernels } from "./kernels.ts";
import {
  plain,
  randomMatrix,
  randomSignedCode,
  wholeMatrix,
  wholeNumbers,
} from "./random-arguments.conformance.ts";

const adam: AdamStep = { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 1 };

/** What `Kernels.update` promises. */
export function describeUpdate(kernels: () => Kernels): void {
  /** A copy of `before` after one update. */
  const updated = async (
    before: Updated,
    gradient: readonly GradientTerm[],
    step: AdamStep,
    options?: { readonly unitRows?: boolean },
  ): Promise<Updated> => {
    const after = structuredClone(before);
    await kernels().update(after.weights, after.moments, gradient, step, options);
    return after;
  };

  describe("update()", () => {
    const sizes = [
      ...[1, 3, 64, 101].flatMap((d) => [1, 7, 257].map((m) => ({ b: 5, d, m }))),
      { b: 0, d: 4, m: 3 },
      { b: 5, d: 4, m: 0 },
      { b: 1500, d: 10, m: 9 },
      { b: 60, d: 768, m: 50 },
    ];
    test.each(sizes)(
      "agrees with float64 sums on $m rows of width $d and terms of $b rows",
      async ({ b, d, m }) => {
        const random = seededRandom(b * 7919 + d * 31 + m);
        const before = randomState(random, m, d, 1e-3);
        for (const [step, terms, unitRows] of [
          [1, 1, false],
          [1000, 2, false],
          [1, 3, true],
          [1000, 1, true],
          [7, 0, true],
        ] as const) {
          const gradient = Array.from({ length: terms }, () => randomTerm(random, m, b, d));
          const after = await updated(before, gradient, { ...adam, step }, { unitRows });
          expectUpdated(after, before, gradient, { ...adam, step }, unitRows);
        }
      },
    );

    test("without options is that without unitRows", async () => {
      const random = seededRandom(2);
      const before = randomState(random, 5, 6, 1);
      const gradient = [randomTerm(random, 5, 4, 6)];
      expect(await updated(before, gradient, adam)).toEqual(
        await updated(before, gradient, adam, { unitRows: false }),
      );
    });

    test("gives the means of small whole numbers exactly", async () => {
      await fc.assert(
        fc.asyncProperty(wholeNumbers, async ({ b, d, m, seed, count }) => {
          const random = seededRandom(seed);
          const squares = wholeMatrix(random, m, d).values.map((value) => value ** 2);
          const before = {
            weights: randomMatrix(random, m, d),
            moments: { first: wholeMatrix(random, m, d), second: matrix(m, d, squares) },
          };
          const gradient = Array.from({ length: count % 4 }, () => wholeTerm(random, m, b, d));
          const { moments } = await updated(before, gradient, { ...adam, beta1: 0.5, beta2: 0.75 });
          const sum = wholeSum(gradient, m, d);
          expect(Array.from(moments.first.values, plain)).toEqual(
            Array.from(sum, (g, at) => plain(0.5 * before.moments.first.values[at] + 0.5 * g)),
          );
          expect(Array.from(moments.second.values)).toEqual(
            Array.from(sum, (g, at) => 0.75 * squares[at] + 0.25 * g * g),
          );
        }),
        { numRuns: 40 },
      );
    });

    test("moves every weight by the rate against the sign of its gradient in the first step", async () => {
      const before = stillState(matrix(1, 4, Float32Array.of(1, -2, 3, 0)));
      const gradient = [{ code: diagonal(1, 5), rows: matrix(1, 4, Float32Array.of(2, -1e-3, 0, 1e3)) }];
      const { weights } = await updated(before, gradient, { ...adam, rate: 0.25 });
      [0.75, -1.75, 3, -0.25].forEach((value, k) => {
        expect(weights.values[k]).toBeCloseTo(value, 5);
      });
    });

    test("lets the moments of latents without entries fade while their weights still move", async () => {
      const before: Updated = {
        weights: matrix(2, 1, Float32Array.of(1, 1)),
        moments: { first: matrix(2, 1, Float32Array.of(2, 0)), second: matrix(2, 1, Float32Array.of(16, 0)) },
      };
      const none = { rows: 2, columns: 3, offsets: new Int32Array(3) };
      const code = { ...none, indices: new Int32Array(0), values: new Float32Array(0) };
      const step = { rate: 0.5, beta1: 0.5, beta2: 0.25, epsilon: 1e-8, step: 1000 };
      const { weights, moments } = await updated(before, [{ code, rows: zeros(3, 1) }], step);
      expect(Array.from(moments.first.values)).toEqual([1, 0]);
      expect(Array.from(moments.second.values)).toEqual([4, 0]);
      expect(weights.values[0]).toBeCloseTo(0.75, 6);
      expect(weights.values[1]).toBe(1);
    });

    test("with unitRows keeps rows at length 1, step after step", async () => {
      const random = seededRandom(3);
      const state = randomState(random, 30, 17, 0);
      unify(state.weights);
      for (let step = 1; step <= 20; step++) {
        const gradient = [randomTerm(random, 30, 8, 17), randomTerm(random, 30, 3, 17)];
        await kernels().update(state.weights, state.moments, gradient, { ...adam, step }, { unitRows: true });
        for (let j = 0; j < 30; j++) expect(Math.hypot(...row(state.weights, j))).toBeCloseTo(1, 6);
      }
    });

    test("with unitRows ignores a gradient that is parallel to its row", async () => {
      const weights = randomMatrix(seededRandom(4), 6, 32);
      unify(weights);
      const { weights: after, moments } = await updated(
        stillState(weights),
        [{ code: diagonal(6, -3), rows: weights }],
        { ...adam, epsilon: 1e-3 },
        { unitRows: true },
      );
      moments.first.values.forEach((value) => {
        expect(Math.abs(value)).toBeLessThan(1e-6);
      });
      after.values.forEach((value, at) => {
        expect(value).toBeCloseTo(weights.values[at], 5);
      });
    });

    test("with unitRows leaves a zero row that nothing moves zero", async () => {
      const before = stillState(zeros(2, 3));
      const gradient = [{ code: diagonal(2, 1), rows: matrix(2, 3, Float32Array.of(0, 0, 0, 0, 2, 0)) }];
      const { weights } = await updated(before, gradient, adam, { unitRows: true });
      expect(Array.from(weights.values, plain)).toEqual([0, 0, 0, 0, -1, 0]);
    });

    test.each([
      { m: 1500, d: 9, unitRows: false },
      { m: 1500, d: 9, unitRows: true },
      // More bytes than the kernels keep.
      { m: 180, d: 12_001, unitRows: true },
    ])(
      "gives a row of $m of width $d the same bits whatever rows stand beside it, unitRows $unitRows",
      async ({ m, d, unitRows }) => {
        const random = seededRandom(5);
        const before = randomState(random, m, d, 1);
        const gradient = [randomTerm(random, m, 40, d), randomTerm(random, m, 7, d)];
        const whole = await updated(before, gradient, adam, { unitRows });
        for (const [start, end] of [
          [0, 1],
          [1, 100],
          [m - 90, m],
        ]) {
          const part = await updated(
            stateRows(before, start, end),
            gradient.map(({ code, rows }) => ({ code: codeRows(code, start, end), rows })),
            adam,
            { unitRows },
          );
          expectSame(part, stateRows(whole, start, end));
        }
      },
    );

    test("updates arrays that threads share as it does others", async () => {
      const random = seededRandom(6);
      const before = randomState(random, 1100, 5, 1);
      const gradient = [randomTerm(random, 1100, 20, 5)];
      const after = await updated(before, gradient, adam);
      const shared = { weights: inShared(before.weights), moments: before.moments };
      await kernels().update(shared.weights, shared.moments, gradient, adam);
      expect(Array.from(shared.weights.values)).toEqual(Array.from(after.weights.values));
      expect(shared.moments).toEqual(after.moments);
    });

    test("only reads the terms of the gradient, which may share a matrix", async () => {
      const random = seededRandom(7);
      const { code, rows } = randomTerm(random, 20, 10, 6);
      const gradient = [
        { code, rows },
        { code, rows },
      ];
      const copy = structuredClone(gradient);
      const before = randomState(random, 20, 6, 1);
      const after = await updated(before, gradient, adam);
      expect(gradient).toEqual(copy);
      expectUpdated(after, before, gradient, adam, false);
    });

    test("rejects what does not fit with a ShapeError and changes nothing", async () => {
      const random = seededRandom(8);
      const state = randomState(random, 4, 3, 1);
      const { weights, moments } = state;
      const good = randomTerm(random, 4, 5, 3);
      const { code, rows } = good;
      const before = structuredClone(state);
      const calls: (() => Promise<unknown>)[] = [
        () => kernels().update({ ...weights, rows: 5 }, moments, [good], adam),
        () => kernels().update(weights, { ...moments, first: zeros(3, 3) }, [good], adam),
        () => kernels().update(weights, { ...moments, first: zeros(3, 4) }, [good], adam),
        () => kernels().update(weights, { ...moments, second: zeros(4, 4) }, [good], adam),
        () => kernels().update(weights, { ...moments, second: { ...weights, rows: 3 } }, [good], adam),
        () => kernels().update(weights, moments, [good, { code, rows: zeros(4, 3) }], adam),
        () => kernels().update(weights, moments, [{ code, rows: zeros(5, 4) }], adam),
        () => kernels().update(weights, moments, [{ code: { ...code, rows: 3 }, rows }], adam),
        () =>
          kernels().update(weights, moments, [{ code: { ...code, offsets: new Int32Array(4) }, rows }], adam),
        () =>
          kernels().update(
            weights,
            moments,
            [{ code: { ...code, values: new Float32Array(99) }, rows }],
            adam,
          ),
        () => kernels().update(weights, moments, [good], { ...adam, step: 0 }),
        () => kernels().update(weights, moments, [good], { ...adam, step: 1.5 }),
        () => kernels().update(weights, moments, [good], { ...adam, beta1: 1 }),
        () => kernels().update(weights, moments, [good], { ...adam, beta2: -0.1 }),
        () => kernels().update(weights, moments, [good], { ...adam, epsilon: 0 }),
      ];
      for (const call of calls) await expect(call()).rejects.toThrow(ShapeError);
      expect(state).toEqual(before);
      await expect(
        kernels().update(weights, moments, [good, { code, rows: zeros(4, 3) }], adam),
      ).rejects.toThrow("columns of the code (5) must equal rows of gradient term 1 (4)");
    });
  });
}

/** Fails unless every number has the same bits. */
function expectSame(a: Updated, b: Updated): void {
  for (const [left, right] of [
    [a.weights, b.weights],
    [a.moments.first, b.moments.first],
    [a.moments.second, b.moments.second],
  ])
    expect(left.values.findIndex((value, at) => !Object.is(value, right.values[at]))).toBe(-1);
}

/** Weights and first moments standard normal (first moments times `scale`), second moments as their squares might be. */
function randomState(random: Random, rows: number, columns: number, scale: number): Updated {
  const scaled = (factor: number) => {
    const m = randomMatrix(random, rows, columns);
    return { ...m, values: m.values.map((value) => factor * value) };
  };
  const second = scaled(scale);
  return {
    weights: scaled(1),
    moments: { first: scaled(scale), second: { ...second, values: second.values.map((v) => v * v) } },
  };
}

/** Moments as they are before the first step. */
function stillState(weights: Matrix): Updated {
  const { rows, columns } = weights;
  return { weights, moments: { first: zeros(rows, columns), second: zeros(rows, columns) } };
}

function stateRows({ weights, moments }: Updated, start: number, end: number): Updated {
  const rows = (m: Matrix) => {
    const part = rowRange(m, start, end);
    return { ...part, values: part.values.slice() };
  };
  return {
    weights: rows(weights),
    moments: { first: rows(moments.first), second: rows(moments.second) },
  };
}

function randomTerm(random: Random, m: number, b: number, d: number): GradientTerm {
  return { code: randomSignedCode(random, m, b), rows: randomMatrix(random, b, d) };
}

function wholeTerm(random: Random, m: number, b: number, d: number): GradientTerm {
  const code = randomSignedCode(random, m, b);
  const values = code.values.map((value) => Math.trunc(value * 4) || 4);
  return { code: { ...code, values }, rows: wholeMatrix(random, b, d) };
}

/** The gradient itself, [m × d]. */
function wholeSum(gradient: readonly GradientTerm[], m: number, d: number): Float64Array {
  const sum = new Float64Array(m * d);
  for (const { code, rows } of gradient)
    for (let j = 0; j < m; j++)
      for (let entry = code.offsets[j]; entry < code.offsets[j + 1]; entry++)
        row(rows, code.indices[entry]).forEach((value, k) => {
          sum[j * d + k] += code.values[entry] * value;
        });
  return sum;
}

/** One entry for each of `size` latents: row i of the term is the gradient of latent i, times `value`. */
function diagonal(size: number, value: number): GradientTerm["code"] {
  return {
    rows: size,
    columns: size,
    offsets: Int32Array.from({ length: size + 1 }, (_, j) => j),
    indices: Int32Array.from({ length: size }, (_, j) => j),
    values: new Float32Array(size).fill(value),
  };
}

function unify(m: Matrix): void {
  for (let j = 0; j < m.rows; j++) {
    const length = Math.hypot(...row(m, j));
    row(m, j).forEach((value, k, values) => {
      values[k] = value / length;
    });
  }
}

function inShared(m: Matrix): Matrix {
  const copy = zeros(m.rows, m.columns);
  copy.values.set(m.values);
  return copy;
}
