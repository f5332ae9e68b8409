import type { SparseCode } from "../tensor/sparse-code.ts";

/** [m]: the sum of one number per entry of a code, over the entries of each latent, in float64. */
export function sumByLatent({ columns, indices }: SparseCode, perEntry: ArrayLike<number>): Float64Array {
  const sums = new Float64Array(columns);
  for (let entry = 0; entry < indices.length; entry++) sums[indices[entry]] += perEntry[entry];
  return sums;
}
