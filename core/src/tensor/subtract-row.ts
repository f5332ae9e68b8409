import { type Matrix, zeros } from "./matrix.ts";

/** `m` [n × d] with `vector` [d] taken from every row, a copy. */
export function subtractRow({ rows, columns, values }: Matrix, vector: ArrayLike<number>): Matrix {
  const result = zeros(rows, columns);
  for (let i = 0, at = 0; i < rows; i++)
    for (let k = 0; k < columns; k++, at++) result.values[at] = values[at] - vector[k];
  return result;
}
