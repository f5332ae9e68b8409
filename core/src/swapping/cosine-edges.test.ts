import fc from "fast-check";
import { expect, test } from "vitest";
import { randomMatrix } from "../../test-support/random-saes.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { referenceKernels } from "../kernels/reference-kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import { cosineEdges } from "./cosine-edges.ts";

/** Every pair, from the full matrix in float64. */
function plainEdges(smaller: Matrix, larger: Matrix, threshold: number) {
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, k) => sum + value * b[k], 0);
  const edges = [];
  for (let j = 0; j < larger.rows; j++)
    for (let i = 0; i < smaller.rows; i++) {
      const [v, w] = [row(smaller, i), row(larger, j)];
      const norm = Math.sqrt(dot(v, v) * dot(w, w));
      const cosine = Math.fround(norm === 0 ? 0 : Math.min(1, Math.max(-1, dot(v, w) / norm)));
      if (cosine > threshold) edges.push({ smaller: i, larger: j, cosine });
    }
  return edges;
}

/** Directions in bunches around a few centres, with exact duplicates and zero rows among them. */
function bunches(random: () => number, rows: number, d: number, centres: Matrix): Matrix {
  const m = randomMatrix(random, rows, d, 0.3);
  for (let i = 0; i < rows; i++) {
    const centre = row(centres, Math.floor(random() * centres.rows));
    const draw = random();
    if (draw < 0.1) row(m, i).fill(0);
    else if (draw < 0.3) row(m, i).set(centre);
    else for (let k = 0; k < d; k++) m.values[i * d + k] += centre[k];
  }
  return m;
}

test("cosineEdges() gives the edges of the full matrix, also for rows with hundreds of them", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 8 }),
      fc.constantFrom(-1, -0.2, 0, 0.3, 0.7, 0.95, 1),
      async (seed, s, l, threshold) => {
        const random = seededRandom(seed);
        const centres = randomMatrix(random, 2, 5);
        const [smaller, larger] = [s, l].map((rows) => bunches(random, rows, 5, centres));
        expect(await cosineEdges(smaller, larger, threshold, referenceKernels)).toEqual(
          plainEdges(smaller, larger, threshold),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test("cosineEdges() asks again only for the rows that may have more edges", async () => {
  const smaller = zeros(200, 4);
  for (let i = 0; i < 200; i++) smaller.values[i * 4 + (i < 100 ? 0 : 1 + (i % 3))] = 1;
  const larger = zeros(3, 4);
  [0, 1, 2].forEach((axis, j) => {
    larger.values[j * 4 + axis] = 1;
  });
  larger.values[2 * 4 + 3] = 1;
  const asked: [number, number][] = [];
  const kernels: Kernels = {
    ...referenceKernels,
    match: (rows, among, count) => {
      asked.push([rows.rows, count]);
      return referenceKernels.match(rows, among, count);
    },
  };
  const edges = await cosineEdges(smaller, larger, 0.8, kernels);
  expect(asked).toEqual([
    [3, 16],
    [2, 64],
    [1, 256],
  ]);
  expect(edges.filter((edge) => edge.larger === 0)).toHaveLength(100);
  expect(edges.filter((edge) => edge.larger === 2)).toEqual([]);
});
