import type { Matrix } from "../tensor/matrix.ts";

/** Squared length of every row, [rows], accumulated in float64. */
export function rowNormsSquared(m: Matrix): Float64Array {
  const norms = new Float64Array(m.rows);
  for (let i = 0; i < m.rows; i++)
    norms[i] = dot(m.values, i * m.columns, m.values, i * m.columns, m.columns);
  return norms;
}

/** Inner product of every row with `vector` [columns], [rows], accumulated in float64. */
export function rowsTimes(m: Matrix, vector: ArrayLike<number>): Float64Array {
  const products = new Float64Array(m.rows);
  for (let i = 0; i < m.rows; i++) products[i] = dot(m.values, i * m.columns, vector, 0, m.columns);
  return products;
}

/** Σ v², accumulated in float64 in the order of the values. */
export function sumOfSquares(values: Float32Array): number {
  let sum = 0;
  // Indexed, since iterating over a typed array takes four times as long.
  for (let at = 0; at < values.length; at++) sum += values[at] * values[at];
  return sum;
}

/** Sum of all rows, [columns], accumulated in float64. */
export function columnSums({ rows, columns, values }: Matrix): Float64Array {
  const sums = new Float64Array(columns);
  for (let i = 0, at = 0; i < rows; i++) for (let k = 0; k < columns; k++, at++) sums[k] += values[at];
  return sums;
}

function dot(
  a: ArrayLike<number>,
  aStart: number,
  b: ArrayLike<number>,
  bStart: number,
  length: number,
): number {
  let sum = 0;
  for (let k = 0; k < length; k++) sum += a[aStart + k] * b[bStart + k];
  return sum;
}
