import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { normal, type Random, seededRandom } from "../linalg/random.ts";
import { type Matrix, matrix, row } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import type { Kernels, Selection } from "./kernels.ts";
import { randomMatrix } from "./random-arguments.conformance.ts";

/**
 * What implementations promise that search with low precision: the code is, bit for bit, the selection from all pre-activations as
 * `project` gives their products, whatever the rows.
 */
export function describeExactSelection(name: string, open: () => Promise<Kernels>): void {
  describe(`${name} selects exactly`, () => {
    let kernels: Kernels;
    beforeAll(async () => {
      kernels = await open();
    });
    afterAll(() => kernels.close());

    /** The code of `x`, compared with the selection from all pre-activations. */
    async function expectExact(x: Matrix, encoder: Matrix, bias: Float32Array, selection: Selection) {
      const products = await kernels.project(everyLatent(x.rows, encoder.rows), encoder, x);
      const p = products.map((product, i) => product + bias[i % encoder.rows]);
      const got = await kernels.encode(x, encoder, bias, selection);
      const want = selected(p, x.rows, encoder.rows, selection);
      expect(Array.from(got.offsets)).toEqual(Array.from(want.offsets));
      expect(Array.from(got.indices)).toEqual(Array.from(want.indices));
      expect(Array.from(got.values)).toEqual(Array.from(want.values));
    }

    const sizes = [1, 31, 63, 64, 65, 2304].flatMap((d) => [1, 7, 32, 33, 300].map((m) => ({ d, m })));
    test.each(sizes)("of $m latents of width $d", async ({ d, m }) => {
      const random = seededRandom(1000 * d + m);
      const x = randomMatrix(random, 45, d);
      const encoder = randomMatrix(random, m, d);
      const bias = randomMatrix(random, 1, m).values;
      for (const selection of selections(random, x.rows, m, Math.sqrt(d)))
        await expectExact(x, encoder, bias, selection);
    });

    test("of more latents than fit into one block", async () => {
      const random = seededRandom(5);
      const x = randomMatrix(random, 3, 9);
      const encoder = randomMatrix(random, 98_304, 9);
      const bias = new Float32Array(encoder.rows);
      const threshold = new Float32Array(encoder.rows).fill(9);
      await expectExact(x, encoder, bias, { kind: "threshold", threshold });
      await expectExact(x, encoder, bias, { kind: "top", count: 40 });
    });

    test("of more rows than fit into one block", async () => {
      const random = seededRandom(6);
      const x = randomMatrix(random, 9001, 70);
      const encoder = randomMatrix(random, 40, 70);
      const bias = randomMatrix(random, 1, 40).values;
      for (const selection of selections(random, x.rows, 40, 8))
        await expectExact(x, encoder, bias, selection);
    });

    test("of rows too wide to be packed", async () => {
      const random = seededRandom(11);
      const x = randomMatrix(random, 3, 70_000);
      const encoder = randomMatrix(random, 40, 70_000);
      for (const selection of selections(random, 3, 40, 260))
        await expectExact(x, encoder, new Float32Array(40), selection);
    });

    test("of thresholds that pre-activations just reach, or just exceed", async () => {
      const random = seededRandom(7);
      const x = randomMatrix(random, 40, 48);
      const encoder = randomMatrix(random, 50, 48);
      const bias = randomMatrix(random, 1, 50).values;
      const products = await kernels.project(everyLatent(40, 50), encoder, x);
      for (let i = 0; i < 40; i++) {
        const p = Float32Array.from({ length: 50 }, (_, j) => products[50 * i + j] + bias[j]);
        await expectExact(x, encoder, bias, { kind: "threshold", threshold: p });
        const below = p.map((value) => value - Math.abs(value) * 2 ** -23);
        await expectExact(x, encoder, bias, { kind: "threshold", threshold: below });
        await expectExact(x, encoder, bias, {
          kind: "row-threshold",
          threshold: Float32Array.from({ length: 40 }, () => p[i]),
        });
      }
    });

    test("of rows whose latent sees nothing but what low precision loses", async () => {
      const random = seededRandom(10);
      const x = randomMatrix(random, 64, 2);
      for (let i = 0; i < x.rows; i++) x.values[2 * i] = 2 + random();
      const encoder = matrix(1, 2, Float32Array.of(0, 1));
      const bias = new Float32Array(1);
      for (let i = 0; i < x.rows; i++) {
        const p = Math.abs(x.values[2 * i + 1]);
        const threshold = Float32Array.of(p - p * 2 ** -22);
        await expectExact(x, encoder, bias, { kind: "threshold", threshold });
        x.values[2 * i + 1] = p;
        await expectExact(x, encoder, bias, { kind: "threshold", threshold });
      }
    });

    test("of rows that are zero, tiny, huge, all in one value, NaN or infinite, on either side", async () => {
      const random = seededRandom(8);
      for (const d of [1, 40]) {
        const x = strangeRows(random, 66, d);
        const encoder = strangeRows(random, 99, d);
        const bias = randomMatrix(random, 1, 99).values;
        bias.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e30, -1e30, 0, 1e-40], 40);
        for (const selection of selections(random, 66, 99, 1)) await expectExact(x, encoder, bias, selection);
      }
    });

    test("of duplicates, which differ in nothing but their index", async () => {
      const random = seededRandom(9);
      const x = randomMatrix(random, 33, 20);
      const encoder = randomMatrix(random, 200, 20);
      for (let j = 0; j < 200; j++) row(encoder, j).set(row(encoder, j % 9));
      const bias = new Float32Array(200);
      for (const count of [1, 5, 30, 150]) await expectExact(x, encoder, bias, { kind: "top", count });
    });

    test("of any sizes and scales", async () => {
      const cases = fc.record({
        b: fc.integer({ min: 1, max: 40 }),
        d: fc.integer({ min: 1, max: 100 }),
        m: fc.integer({ min: 1, max: 100 }),
        seed: fc.integer(),
        exponent: fc.integer({ min: -30, max: 25 }),
      });
      await fc.assert(
        fc.asyncProperty(cases, async ({ b, d, m, seed, exponent }) => {
          const random = seededRandom(seed);
          const x = randomMatrix(random, b, d);
          x.values.forEach((value, i) => {
            x.values[i] = value * 2 ** exponent;
          });
          const encoder = randomMatrix(random, m, d);
          const bias = randomMatrix(random, 1, m).values.map((value) => value * 2 ** exponent);
          for (const selection of selections(random, b, m, Math.sqrt(d) * 2 ** exponent))
            await expectExact(x, encoder, bias, selection);
        }),
        { numRuns: 40 },
      );
    });
  });
}

/** Selections of all kinds, by thresholds of about the size `scale`. */
function selections(random: Random, rows: number, latents: number, scale: number): Selection[] {
  const floats = (length: number, size: number) => Float32Array.from({ length }, () => normal(random) * size);
  return [
    { kind: "threshold", threshold: new Float32Array(latents) },
    { kind: "threshold", threshold: floats(latents, scale).map((value) => value + 2 * scale) },
    {
      kind: "threshold",
      threshold: floats(latents, scale),
      scale: floats(latents, 1),
      offset: floats(latents, scale),
    },
    { kind: "threshold", threshold: new Float32Array(latents).fill(Number.POSITIVE_INFINITY) },
    { kind: "row-threshold", threshold: floats(rows, scale).map((value) => value + scale) },
    { kind: "top", count: 0 },
    { kind: "top", count: 1 },
    { kind: "top", count: 6 },
    { kind: "top", count: latents + 3 },
  ];
}

/** A code in which every latent of every row is active. */
function everyLatent(rows: number, latents: number): SparseCode {
  return {
    rows,
    columns: latents,
    offsets: Int32Array.from({ length: rows + 1 }, (_, i) => i * latents),
    indices: Int32Array.from({ length: rows * latents }, (_, i) => i % latents),
    values: new Float32Array(rows * latents).fill(1),
  };
}

/** What `selection` leaves of all pre-activations [rows × latents], plainly. */
function selected(p: Float32Array, rows: number, latents: number, selection: Selection): SparseCode {
  const offsets = [0];
  const indices: number[] = [];
  const values: number[] = [];
  for (let i = 0; i < rows; i++) {
    const ofRow = Array.from(p.subarray(i * latents, (i + 1) * latents), (value, j) => ({ value, j }));
    for (const { value, j } of active(ofRow, i, selection)) {
      indices.push(j);
      values.push(value);
    }
    offsets.push(indices.length);
  }
  return {
    rows,
    columns: latents,
    offsets: Int32Array.from(offsets),
    indices: Int32Array.from(indices),
    values: Float32Array.from(values),
  };
}

function active(p: { value: number; j: number }[], i: number, selection: Selection) {
  switch (selection.kind) {
    case "threshold": {
      const { threshold, scale, offset } = selection;
      return p
        .filter(({ value, j }) => value > threshold[j])
        .map(({ value, j }) => ({ value: Math.fround(value * (scale?.[j] ?? 1) + (offset?.[j] ?? 0)), j }))
        .filter(({ value }) => value > 0);
    }
    case "row-threshold":
      return p.filter(({ value }) => value > selection.threshold[i] && value > 0);
    case "top":
      return p
        .filter(({ value }) => value > 0)
        .sort((a, b) => (a.value === b.value ? a.j - b.j : b.value > a.value ? 1 : -1))
        .slice(0, selection.count)
        .sort((a, b) => a.j - b.j);
    default:
      return selection satisfies never;
  }
}

function strangeRows(random: Random, rows: number, columns: number): Matrix {
  const m = randomMatrix(random, rows, columns);
  const kinds: ((values: Float32Array) => void)[] = [
    () => {},
    (values) => values.fill(0),
    (values) => values.set(values.map((value) => value * 1e-25)),
    (values) => values.set(values.map((value) => value * 1e-42)),
    (values) => values.set(values.map((value) => value * 1e15)),
    (values) => values.set(values.map((value) => value * 1e37)),
    (values) => values.fill(0).fill(3, 0, 1),
    (values) => values.fill(1e4, 0, 1),
    (values) => values.fill(Number.NaN, 0, 1),
    (values) => values.fill(Number.POSITIVE_INFINITY, columns - 1),
    () => {},
  ];
  for (let i = 0; i < rows; i++) kinds[i % kinds.length](row(m, i));
  return m;
}
