import { type Matrix, row, zeros } from "@saestitch/core";

/** Another matrix of the same values. */
export function copyOf({ rows, columns, values }: Matrix): Matrix {
  const copy = zeros(rows, columns);
  copy.values.set(values);
  return copy;
}

/** The given rows of `from`, a copy: [rows.length × d]. */
export function readRows(from: Matrix, rows: Int32Array): Matrix {
  const read = zeros(rows.length, from.columns);
  for (let i = 0; i < rows.length; i++) row(read, i).set(row(from, rows[i]));
  return read;
}

/** Write row i of `from` [n × d] over row `rows[i]` of `to`. */
export function writeRows(to: Matrix, rows: Int32Array, from: Matrix): void {
  for (let i = 0; i < rows.length; i++) row(to, rows[i]).set(row(from, i));
}
