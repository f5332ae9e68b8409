import fc from "fast-check";
import { normal, type Random } from "../linalg/random.ts";
import { type Matrix, matrix, row } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";

/** Sizes of small arguments, a seed to draw them with, and a count. */
export const wholeNumbers = fc.record({
  b: fc.integer({ min: 0, max: 9 }),
  d: fc.integer({ min: 1, max: 9 }),
  m: fc.integer({ min: 1, max: 140 }),
  seed: fc.integer(),
  count: fc.integer({ min: 0, max: 12 }),
});

/** Standard normal numbers. */
export function randomMatrix(random: Random, rows: number, columns: number): Matrix {
  return matrix(
    rows,
    columns,
    Float32Array.from({ length: rows * columns }, () => normal(random)),
  );
}

/** Whole numbers from −3 to 3, a quarter of the rows zero. */
export function wholeMatrix(random: Random, rows: number, columns: number): Matrix {
  const m = matrix(rows, columns, new Float32Array(rows * columns));
  for (let i = 0; i < rows; i++)
    if (random() < 0.75)
      row(m, i).forEach((_, k, values) => {
        values[k] = Math.floor(random() * 7) - 3;
      });
  return m;
}

/** About a third of all latents, rows without any among them. */
export function randomCode(random: Random, rows: number, columns: number): SparseCode {
  const offsets = new Int32Array(rows + 1);
  const indices: number[] = [];
  for (let i = 0; i < rows; i++) {
    const density = random() < 0.2 ? 0 : 0.4;
    for (let j = 0; j < columns; j++) if (random() < density) indices.push(j);
    offsets[i + 1] = indices.length;
  }
  const values = Float32Array.from(indices, () => 1 - random());
  return { rows, columns, offsets, indices: Int32Array.from(indices), values };
}

/** As {@link randomCode}, about half of the values negative. */
export function randomSignedCode(random: Random, rows: number, columns: number): SparseCode {
  const code = randomCode(random, rows, columns);
  return { ...code, values: code.values.map((value) => (random() < 0.5 ? -value : value)) };
}

/** A group for each of `columns` latents, ascending from −2 with gaps, a few latents to each. */
export function randomGroups(random: Random, columns: number): Int32Array {
  let group = -2;
  return Int32Array.from({ length: columns }, () => {
    if (random() < 0.3) group += 1 + Math.floor(random() * 3);
    return group;
  });
}

/** 0 for −0, for comparisons where the sign of zero says nothing. */
export function plain(value: number): number {
  return value + 0;
}
