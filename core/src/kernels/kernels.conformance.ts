import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError, ShapeError } from "../errors.ts";
import { seededRandom } from "../linalg/random.ts";
import { matrix, row } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import {
  activeLatents,
  decoded,
  expectCode,
  expectDecoded,
  expectMatches,
  expectProjected,
  expectWalked,
  preActivations,
  projected,
  rowsOf,
} from "./expected-kernels.conformance.ts";
import type { Kernels, Selection } from "./kernels.ts";
import {
  plain,
  randomCode,
  randomGroups,
  randomMatrix,
  randomSignedCode,
  wholeMatrix,
  wholeNumbers,
} from "./random-arguments.conformance.ts";
import { describeUpdate } from "./update.conformance.ts";
import { describeWalk } from "./walk.conformance.ts";

/**
 * What every implementation of the {@link Kernels} contract promises, compared with slow float64 sums.
 *
 * `closable` is false for an implementation that holds nothing to close.
 */
export function describeKernels(
  name: string,
  open: () => Promise<Kernels>,
  { closable = true }: { closable?: boolean } = {},
): void {
  describe(name, () => {
    let kernels: Kernels;
    beforeAll(async () => {
      kernels = await open();
    });
    afterAll(async () => {
      await kernels.close();
    });

    const sizes = [
      ...[1, 3, 64, 100, 768].flatMap((d) => [0, 1, 5].flatMap((b) => [1, 7, 257].map((m) => ({ b, d, m })))),
      { b: 4097, d: 3, m: 7 },
      { b: 1111, d: 768, m: 9 },
      { b: 9, d: 16400, m: 13 },
      { b: 3, d: 5, m: 0 },
    ];

    test.each(sizes)(
      "every operation agrees with float64 sums on $b rows of width $d and $m latents",
      async ({ b, d, m }) => {
        const random = seededRandom(b * 7919 + d * 31 + m);
        const x = randomMatrix(random, b, d);
        const encoder = randomMatrix(random, m, d);
        const bias = randomMatrix(random, 1, m).values;
        const scale = Float32Array.from({ length: m }, () => random() * 2);
        const offset = randomMatrix(random, 1, m).values;
        const selections: Selection[] = [
          { kind: "threshold", threshold: new Float32Array(m) },
          { kind: "threshold", threshold: new Float32Array(m).fill(Number.POSITIVE_INFINITY) },
          { kind: "threshold", threshold: new Float32Array(m).fill(-1) },
          { kind: "threshold", threshold: new Float32Array(m).fill(-0.5), scale, offset },
          { kind: "threshold", threshold: scale, offset },
          { kind: "row-threshold", threshold: randomMatrix(random, 1, b).values },
          { kind: "top", count: 0 },
          { kind: "top", count: 1 },
          { kind: "top", count: 5 },
          { kind: "top", count: m + 1 },
        ];
        const truth = preActivations(x, encoder, bias);
        for (const selection of selections) {
          const code = await kernels.encode(x, encoder, bias, selection);
          expect([code.rows, code.columns]).toEqual([b, m]);
          expectCode(code, truth, selection);
        }

        const code = randomCode(random, b, m);
        const decoder = randomMatrix(random, m, d);
        expectDecoded(await kernels.decode(code, decoder, x, 1), code, decoder, x, 1);
        expectDecoded(await kernels.decode(code, decoder, x, -1), code, decoder, x, -1);
        expectProjected(await kernels.project(code, decoder, x), code, decoder, x);
        const signed = randomSignedCode(random, b, m);
        for (const group of [undefined, randomGroups(random, m)])
          expectWalked(await kernels.walk(signed, decoder, x, group), signed, decoder, x, group);
        for (const count of [0, 1, 3, m + 1])
          expectMatches(await kernels.match(x, encoder, count), x, encoder, count);
      },
    );

    test("small whole numbers give exact codes, equal pre-activations going to the lower latent", async () => {
      await fc.assert(
        fc.asyncProperty(wholeNumbers, async ({ b, d, m, seed, count }) => {
          const random = seededRandom(seed);
          const x = wholeMatrix(random, b, d);
          const encoder = wholeMatrix(random, m, d);
          const bias = wholeMatrix(random, 1, m).values;
          const threshold = wholeMatrix(random, 1, m).values;
          const scale = wholeMatrix(random, 1, m).values;
          const offset = wholeMatrix(random, 1, m).values;
          const selections: Selection[] = [
            { kind: "threshold", threshold },
            { kind: "threshold", threshold, scale },
            { kind: "threshold", threshold, scale, offset },
            { kind: "row-threshold", threshold: wholeMatrix(random, 1, b).values },
            { kind: "top", count },
          ];
          for (const selection of selections) {
            const code = await kernels.encode(x, encoder, bias, selection);
            expect(rowsOf(code)).toEqual(
              preActivations(x, encoder, bias).values.map((p, i) => activeLatents(p, i, selection)),
            );
          }
        }),
        { numRuns: 40 },
      );
    });

    test("small whole numbers give exact decodings and projections", async () => {
      await fc.assert(
        fc.asyncProperty(wholeNumbers, async ({ b, d, m, seed }) => {
          const random = seededRandom(seed);
          const x = wholeMatrix(random, b, d);
          const decoder = wholeMatrix(random, m, d);
          const drawn = randomCode(random, b, m);
          const code = { ...drawn, values: drawn.values.map((value) => Math.ceil(value * 4)) };
          for (const sign of [1, -1] as const)
            expect(Array.from((await kernels.decode(code, decoder, x, sign)).values, plain)).toEqual(
              Array.from(decoded(code, decoder, x, sign), plain),
            );
          expect(Array.from(await kernels.project(code, decoder, x), plain)).toEqual(
            Array.from(projected(code, decoder, x), plain),
          );
        }),
        { numRuns: 40 },
      );
    });

    test("match() orders by cosine, then by index, whatever the rows", async () => {
      await fc.assert(
        fc.asyncProperty(wholeNumbers, async ({ b, d, m, seed, count }) => {
          const random = seededRandom(seed);
          const rows = wholeMatrix(random, b, d);
          const among = wholeMatrix(random, m, d);
          expectMatches(await kernels.match(rows, among, count), rows, among, count);
        }),
        { numRuns: 40 },
      );
    });

    test("match() gives equal directions the same cosine, the lower index first", async () => {
      const random = seededRandom(5);
      const direction = randomMatrix(random, 1, 50);
      const among = matrix(
        200,
        50,
        Float32Array.from({ length: 10_000 }, (_, k) => direction.values[k % 50]),
      );
      const { indices, cosines } = await kernels.match(direction, among, 150);
      expect(Array.from(indices)).toEqual(Array.from({ length: 150 }, (_, j) => j));
      expect(new Set(cosines).size).toBe(1);
      expect(cosines[0]).toBeCloseTo(1, 6);
    });

    test("match() finds negative cosines where there are no others, within [-1, 1]", async () => {
      const random = seededRandom(6);
      const rows = randomMatrix(random, 40, 33);
      const opposite = matrix(
        1,
        33,
        row(rows, 7).map((value) => -3 * value),
      );
      const { cosines } = await kernels.match(opposite, matrix(1, 33, row(rows, 7)), 1);
      expect(cosines[0]).toBeCloseTo(-1, 6);
      for (const width of [2, 3, 5, 33]) {
        const many = randomMatrix(random, 200, width);
        const self = await kernels.match(many, many, 200);
        expect(self.cosines.every((cosine) => cosine >= -1 && cosine <= 1)).toBe(true);
      }
    });

    test("match() gives a zero row the cosine 0 to all, and all the cosine 0 to a zero row", async () => {
      const rows = matrix(2, 3, Float32Array.of(0, 0, 0, -1, -2, -2));
      const among = matrix(3, 3, Float32Array.of(1, 2, 2, 0, 0, 0, 2, -1, 0));
      const { indices, cosines } = await kernels.match(rows, among, 3);
      expect(Array.from(indices)).toEqual([0, 1, 2, 1, 2, 0]);
      expect(Array.from(cosines, plain)).toEqual([0, 0, 0, 0, 0, -1]);
    });

    test("match() takes directions of any length, from the smallest floats to the largest", async () => {
      const rows = matrix(2, 2, Float32Array.of(3e-45, 4e-45, 3e38, -3e38));
      const among = matrix(2, 2, Float32Array.of(1e-45, 1e-45, 3e38, 3e38));
      const { cosines } = await kernels.match(rows, among, 2);
      expect(cosines[0]).toBeCloseTo(5 / Math.sqrt(26), 6);
      expect(cosines[1]).toBeCloseTo(5 / Math.sqrt(26), 6);
      expect(cosines[2]).toBeCloseTo(0, 6);
      expect(cosines[3]).toBeCloseTo(0, 6);
    });

    test("match() refuses rows that hold NaN or infinite values", async () => {
      const good = matrix(1, 2, Float32Array.of(1, 2));
      await expect(kernels.match(matrix(1, 2, Float32Array.of(1, Number.NaN)), good, 1)).rejects.toThrow(
        DataError,
      );
      const infinite = matrix(2, 2, Float32Array.of(1, 1, 1, Number.POSITIVE_INFINITY));
      await expect(kernels.match(good, infinite, 1)).rejects.toThrow("row 1 of among");
    });

    test("encode() gives NaN pre-activations no activation", async () => {
      const x = matrix(1, 1, Float32Array.of(Number.NaN));
      const selections: Selection[] = [
        { kind: "threshold", threshold: Float32Array.of(0) },
        { kind: "row-threshold", threshold: Float32Array.of(0) },
        { kind: "top", count: 1 },
      ];
      for (const selection of selections)
        expect(
          rowsOf(await kernels.encode(x, matrix(1, 1, Float32Array.of(1)), new Float32Array(1), selection)),
        ).toEqual([[]]);
    });

    test("decode() of an empty code is the base, project() and walk() of it are empty", async () => {
      const x = randomMatrix(seededRandom(9), 6, 10);
      const decoder = randomMatrix(seededRandom(10), 4, 10);
      const empty: SparseCode = {
        rows: 6,
        columns: 4,
        offsets: new Int32Array(7),
        indices: new Int32Array(0),
        values: new Float32Array(0),
      };
      expect(await kernels.decode(empty, decoder, x, -1)).toEqual(x);
      expect(await kernels.project(empty, decoder, x)).toHaveLength(0);
      expect(await kernels.walk(empty, decoder, x)).toHaveLength(0);
      expect(await kernels.walk(empty, decoder, x, new Int32Array(4))).toHaveLength(0);
    });

    test("decode(), project() and walk() take many more entries than fit into one batch", async () => {
      const b = 700;
      const m = 90;
      const random = seededRandom(11);
      const x = randomMatrix(random, b, 20);
      const decoder = randomMatrix(random, m, 20);
      const code: SparseCode = {
        rows: b,
        columns: m,
        offsets: Int32Array.from({ length: b + 1 }, (_, i) => i * m),
        indices: Int32Array.from({ length: b * m }, (_, entry) => entry % m),
        values: Float32Array.from({ length: b * m }, random),
      };
      expectDecoded(await kernels.decode(code, decoder, x, 1), code, decoder, x, 1);
      expectProjected(await kernels.project(code, decoder, x), code, decoder, x);
      for (const group of [undefined, randomGroups(random, m)])
        expectWalked(await kernels.walk(code, decoder, x, group), code, decoder, x, group);
    });

    test("decode(), project() and walk() take rows of more bytes than the kernels keep", async () => {
      const random = seededRandom(13);
      const x = randomMatrix(random, 200, 12_001);
      const decoder = randomMatrix(random, 5, 12_001);
      const code = randomSignedCode(random, 200, 5);
      expectDecoded(await kernels.decode(code, decoder, x, 1), code, decoder, x, 1);
      expectProjected(await kernels.project(code, decoder, x), code, decoder, x);
      for (const group of [undefined, Int32Array.of(1, 1, 1, 2, 2)])
        expectWalked(await kernels.walk(code, decoder, x, group), code, decoder, x, group);
    });

    describeWalk(() => kernels);
    describeUpdate(() => kernels);

    test("arguments are only read, and calls may overlap", async () => {
      const random = seededRandom(12);
      const arguments_ = {
        x: randomMatrix(random, 30, 19),
        weights: randomMatrix(random, 50, 19),
        bias: randomMatrix(random, 1, 50).values,
        code: randomCode(random, 30, 50),
        group: randomGroups(random, 50),
      };
      const before = structuredClone(arguments_);
      const { x, weights, bias, code, group } = arguments_;
      const call = () =>
        Promise.all([
          kernels.encode(x, weights, bias, { kind: "top", count: 4 }),
          kernels.decode(code, weights, x, -1),
          kernels.project(code, weights, x),
          kernels.walk(code, weights, x),
          kernels.walk(code, weights, x, group),
          kernels.match(x, weights, 3),
        ]);
      const first = await call();
      const [second, third] = await Promise.all([call(), call()]);
      expect(second).toEqual(first);
      expect(third).toEqual(first);
      expect(arguments_).toEqual(before);
    });

    test("shapes that do not fit reject with a ShapeError", async () => {
      const x = randomMatrix(seededRandom(1), 2, 3);
      const weights = randomMatrix(seededRandom(2), 4, 3);
      const wide = randomMatrix(seededRandom(3), 4, 5);
      const bias = new Float32Array(4);
      const code = randomCode(seededRandom(4), 2, 4);
      const top: Selection = { kind: "top", count: 1 };
      const short = new Float32Array(3);
      const calls: (() => Promise<unknown>)[] = [
        () => kernels.encode(x, wide, bias, top),
        () => kernels.encode({ ...x, values: short }, weights, bias, top),
        () => kernels.encode(x, weights, short, top),
        () => kernels.encode(x, weights, bias, { kind: "top", count: -1 }),
        () => kernels.encode(x, weights, bias, { kind: "top", count: 1.5 }),
        () => kernels.encode(x, weights, bias, { kind: "threshold", threshold: short }),
        () => kernels.encode(x, weights, bias, { kind: "threshold", threshold: bias, scale: short }),
        () => kernels.encode(x, weights, bias, { kind: "threshold", threshold: bias, offset: short }),
        () => kernels.encode(x, weights, bias, { kind: "row-threshold", threshold: short }),
        () => kernels.decode(code, wide, x, 1),
        () => kernels.decode({ ...code, columns: 5 }, weights, x, 1),
        () => kernels.decode(code, weights, weights, 1),
        () => kernels.decode({ ...code, indices: new Int32Array(99) }, weights, x, 1),
        () => kernels.decode({ ...code, values: new Float32Array(99) }, weights, x, 1),
        () => kernels.project({ ...code, offsets: new Int32Array(9) }, weights, x),
        () => kernels.project(code, weights, wide),
        () => kernels.walk(code, wide, x),
        () => kernels.walk({ ...code, columns: 5 }, weights, x),
        () => kernels.walk(code, weights, weights),
        () => kernels.walk({ ...code, values: new Float32Array(99) }, weights, x),
        () => kernels.walk(code, weights, x, new Int32Array(3)),
        () => kernels.walk(code, weights, x, Int32Array.of(0, 2, 1, 2)),
        () => kernels.match(x, wide, 1),
        () => kernels.match(x, weights, Number.NaN),
      ];
      for (const call of calls) await expect(call()).rejects.toThrow(ShapeError);
    });

    test.runIf(closable)("close() makes later calls reject", async () => {
      const closed = await open();
      await closed.close();
      await closed.close();
      const x = randomMatrix(seededRandom(1), 2, 3);
      const code = randomCode(seededRandom(4), 2, 2);
      const top: Selection = { kind: "top", count: 1 };
      await expect(closed.encode(x, x, new Float32Array(2), top)).rejects.toThrow("closed");
      await expect(closed.decode(code, x, x, 1)).rejects.toThrow("closed");
      await expect(closed.project(code, x, x)).rejects.toThrow("closed");
      await expect(closed.walk(code, x, x)).rejects.toThrow("closed");
      await expect(closed.match(x, x, 1)).rejects.toThrow("closed");
      const adam = { rate: 1, beta1: 0, beta2: 0, epsilon: 1, step: 1 };
      await expect(closed.update(x, { first: x, second: x }, [], adam)).rejects.toThrow("closed");
    });
  });
}
