import { type Matrix, matrix, row } from "../tensor/matrix.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import type { Matches } from "./kernels.ts";

/**
 * Rows scaled to length 1, bit for bit as `normalise` of kernels/src/kernels.c does it: squares added up in float64 in eight sums, column k in
 * sum k mod 8, each value multiplied by the inverse of the length and then rounded. Zero rows stay zero.
 */
export function unitRows(m: Matrix): Matrix {
  const unit = matrix(m.rows, m.columns, allocateFloat32(m.values.length));
  const sums = new Float64Array(8);
  for (let i = 0; i < m.rows; i++) {
    const from = row(m, i);
    const to = row(unit, i);
    sums.fill(0);
    for (let k = 0; k < from.length; k++) sums[k & 7] += from[k] * from[k];
    const [a, b, c, d] = [0, 1, 2, 3].map((lane) => sums[lane] + sums[lane + 4]);
    const square = a + b + (c + d);
    if (square === 0) continue;
    const scale = 1 / Math.sqrt(square);
    for (let k = 0; k < from.length; k++) to[k] = from[k] * scale;
  }
  return unit;
}

/** Which rows are zero. */
export function zeroRows(m: Matrix): boolean[] {
  return Array.from({ length: m.rows }, (_, i) => row(m, i).every((value) => value === 0));
}

/** Write the entries of a code of cosines, `out.count` to a row, best first; rows without entries have cosine 0 to all. */
export function orderMatches({ rows, offsets, indices, values }: SparseCode, out: Matches): void {
  for (let i = 0; i < rows; i++) {
    const at = i * out.count;
    if (offsets[i] === offsets[i + 1]) {
      for (let place = 0; place < out.count; place++) out.indices[at + place] = place;
      continue;
    }
    const order = Int32Array.from({ length: out.count }, (_, place) => offsets[i] + place);
    // Entries ascend, so those of equal cosines are in order by position.
    order.sort((a, b) => values[b] - values[a] || a - b);
    order.forEach((entry, place) => {
      out.indices[at + place] = indices[entry];
      out.cosines[at + place] = values[entry];
    });
  }
}
