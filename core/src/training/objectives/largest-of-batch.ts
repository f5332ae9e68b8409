import type { Kernels } from "../../kernels/kernels.ts";
import { kthLargest } from "../../statistics/kth-largest.ts";
import { type Matrix, rowRange } from "../../tensor/matrix.ts";
import { allocateFloat32, allocateInt32 } from "../../tensor/shared.ts";
import type { SparseCode } from "../../tensor/sparse-code.ts";

/** Rows from which the first floor is guessed. */
const SAMPLED_ROWS = 64;
/** A guess is this share of the smallest value kept, so that it seldom lies too high. */
const MARGIN = 0.9;

/** The largest activations of a batch, and where the floor of the next batch may lie. */
export interface LargestOfBatch {
  readonly code: SparseCode;
  /** The smallest activation kept; 0 when there is none. */
  readonly least: number;
}

/**
 * The `count` largest pre-activations of the whole batch `x` [b × d], of those above zero; equal ones in the order of their row and
 * latent (BatchTopK, Bussmann et al., arXiv 2412.06410).
 *
 * Only what exceeds a floor is ever listed. `guess`, the smallest value kept of a batch like this one, says where the floor lies;
 * a bad guess costs a second product and changes no result. 0 has one made from a few rows.
 */
export async function largestOfBatch(
  x: Matrix,
  encoder: Matrix,
  bias: Float32Array,
  count: number,
  kernels: Kernels,
  guess: number,
): Promise<LargestOfBatch> {
  const expected = guess > 0 ? guess : await guessLeast(x, encoder, bias, count, kernels);
  for (let floor = MARGIN * expected; ; floor = floor > 1e-3 * expected ? floor / 2 : 0) {
    const threshold = allocateFloat32(encoder.rows).fill(floor);
    const code = await kernels.encode(x, encoder, bias, { kind: "threshold", threshold });
    if (code.values.length >= count || floor === 0) return keepLargest(code, count);
  }
}

/** About the `count`-th largest value of the batch, from its first rows. */
async function guessLeast(
  x: Matrix,
  encoder: Matrix,
  bias: Float32Array,
  count: number,
  kernels: Kernels,
): Promise<number> {
  const sample = rowRange(x, 0, Math.min(x.rows, SAMPLED_ROWS));
  const share = Math.ceil((count * sample.rows) / x.rows);
  const { values } = await kernels.encode(sample, encoder, bias, {
    kind: "top",
    count: Math.min(encoder.rows, 4 * Math.ceil(count / x.rows)),
  });
  return values.length === 0 ? 0 : kthLargest(values, Math.min(share, values.length));
}

/** The `count` largest entries of a code; equal ones in their order. */
function keepLargest(code: SparseCode, count: number): LargestOfBatch {
  const { rows, columns, offsets, indices, values } = code;
  if (values.length <= count)
    return { code, least: values.length === 0 ? 0 : kthLargest(values, values.length) };
  const least = count === 0 ? Number.POSITIVE_INFINITY : kthLargest(values, count);
  let ties = count;
  for (const value of values) if (value > least) ties--;
  const kept = {
    rows,
    columns,
    offsets: allocateInt32(rows + 1),
    indices: allocateInt32(count),
    values: allocateFloat32(count),
  };
  let length = 0;
  for (let i = 0; i < rows; i++) {
    for (let entry = offsets[i]; entry < offsets[i + 1]; entry++) {
      if (values[entry] < least || (values[entry] === least && ties-- <= 0)) continue;
      kept.indices[length] = indices[entry];
      kept.values[length++] = values[entry];
    }
    kept.offsets[i + 1] = length;
  }
  return { code: kept, least: count === 0 ? 0 : least };
}
