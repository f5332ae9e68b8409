import { ShapeError } from "../errors.ts";
import { allocateFloat32 } from "./shared.ts";

/** A dense row-major matrix: element (i, j) is `values[i * columns + j]`. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** Length `rows * columns`. */
  readonly values: Float32Array;
}

/** View `values` as a matrix without copying. Throws {@link ShapeError} when the length does not fit. */
export function matrix(rows: number, columns: number, values: Float32Array): Matrix {
  if (values.length !== rows * columns) {
    throw new ShapeError(
      `A ${rows} × ${columns} matrix needs ${rows * columns} values, got ${values.length}`,
    );
  }
  return { rows, columns, values };
}

/** A zero matrix that worker threads can share. */
export function zeros(rows: number, columns: number): Matrix {
  return { rows, columns, values: allocateFloat32(rows * columns) };
}

/** Row `i` as a view, not a copy. */
export function row(m: Matrix, i: number): Float32Array {
  return m.values.subarray(i * m.columns, (i + 1) * m.columns);
}

/** Rows `start` to `end` (exclusive) as a view, not a copy. */
export function rowRange(m: Matrix, start: number, end: number): Matrix {
  return {
    rows: end - start,
    columns: m.columns,
    values: m.values.subarray(start * m.columns, end * m.columns),
  };
}
