import { allocateFloat32, allocateInt32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";

/** Rows `start` to `end` (exclusive) of a code; entries are views, not copies. */
export function codeRows(code: SparseCode, start: number, end: number): SparseCode {
  const first = code.offsets[start];
  const last = code.offsets[end];
  return {
    rows: end - start,
    columns: code.columns,
    offsets: code.offsets.slice(start, end + 1).map((offset) => offset - first),
    indices: code.indices.subarray(first, last),
    values: code.values.subarray(first, last),
  };
}

/** Codes of the same `columns` latents, one below the other. */
export function stackCodes(codes: readonly SparseCode[], columns: number): SparseCode {
  const rows = codes.reduce((sum, code) => sum + code.rows, 0);
  const entries = codes.reduce((sum, code) => sum + code.indices.length, 0);
  const offsets = allocateInt32(rows + 1);
  const indices = allocateInt32(entries);
  const values = allocateFloat32(entries);
  let row = 0;
  for (const code of codes) {
    const first = offsets[row];
    indices.set(code.indices, first);
    values.set(code.values, first);
    for (let i = 0; i < code.rows; i++) offsets[++row] = first + code.offsets[i + 1];
  }
  return { rows, columns, offsets, indices, values };
}
