import fc from "fast-check";
import { expect, test } from "vitest";
import type { Kernels } from "../../kernels/kernels.ts";
import { referenceKernels } from "../../kernels/reference-kernels.ts";
import { normal, seededRandom } from "../../linalg/random.ts";
import { type Matrix, zeros } from "../../tensor/matrix.ts";
import { largestOfBatch } from "./largest-of-batch.ts";

function drawn(rows: number, columns: number, seed: number, steps = 0): Matrix {
  const random = seededRandom(seed);
  const m = zeros(rows, columns);
  // Multiples of a step make many products equal.
  for (let at = 0; at < m.values.length; at++)
    m.values[at] = steps === 0 ? normal(random) : Math.round(normal(random) * steps) / steps;
  return m;
}

/** All pre-activations, sorted, and the first `count` of those above zero. */
function plainLargest(x: Matrix, encoder: Matrix, bias: Float32Array, count: number) {
  const all: { row: number; latent: number; value: number }[] = [];
  for (let row = 0; row < x.rows; row++)
    for (let latent = 0; latent < encoder.rows; latent++) {
      let sum = 0;
      for (let k = 0; k < x.columns; k++)
        sum += x.values[row * x.columns + k] * encoder.values[latent * x.columns + k];
      all.push({ row, latent, value: Math.fround(sum + bias[latent]) });
    }
  return all
    .filter(({ value }) => value > 0)
    .sort((a, b) => b.value - a.value || a.row - b.row || a.latent - b.latent)
    .slice(0, count)
    .sort((a, b) => a.row - b.row || a.latent - b.latent);
}

test("largestOfBatch() keeps what sorting all pre-activations keeps, whatever the guess", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.constantFrom(0, 1, 2),
      fc.integer({ min: 0, max: 60 }),
      fc.constantFrom(0, 1e-6, 0.3, 2, 50),
      async (seed, steps, count, guess) => {
        const x = drawn(9, 4, seed, steps);
        const encoder = drawn(7, 4, seed + 1, steps);
        const bias = drawn(1, 7, seed + 2, steps).values;
        const { code, least } = await largestOfBatch(x, encoder, bias, count, referenceKernels, guess);
        const expected = plainLargest(x, encoder, bias, count);
        const found = Array.from(code.indices, (latent, entry) => ({
          row: code.offsets.findLastIndex((offset) => offset <= entry),
          latent,
          value: code.values[entry],
        }));
        expect(found).toEqual(expected);
        expect(code.offsets[9]).toBe(expected.length);
        if (count > 0) expect(least).toBe(Math.min(...expected.map(({ value }) => value), 1e9) % 1e9);
      },
    ),
    { numRuns: 60 },
  );
});

test("largestOfBatch() makes one product when the guess is good", async () => {
  let products = 0;
  const kernels: Kernels = {
    ...referenceKernels,
    encode(...given) {
      products++;
      return referenceKernels.encode(...given);
    },
  };
  const [x, encoder, bias] = [drawn(40, 4, 1), drawn(30, 4, 2), new Float32Array(30)];
  const first = await largestOfBatch(x, encoder, bias, 80, kernels, 0);
  products = 0;
  const second = await largestOfBatch(x, encoder, bias, 80, kernels, first.least);
  expect(products).toBe(1);
  expect(second).toEqual(first);
});
