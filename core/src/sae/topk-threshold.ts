import { DataError, UnsupportedError } from "../errors.ts";
import type { Kernels, Selection } from "../kernels/kernels.ts";
import { type Matrix, rowRange } from "../tensor/matrix.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import { encode } from "./encode.ts";
import { recordFold } from "./fold.ts";
import type { Sae } from "./sae.ts";

/** A `topk` SAE with a threshold in place of its k. */
export interface TopkThreshold {
  /** `batchtopk`, as BatchTopK is at inference. */
  readonly sae: Sae;
  readonly threshold: number;
  /** Rows of the sample that the threshold was found on. */
  readonly rows: number;
}

/** Activations looked at per token at first, as a multiple of k. */
const firstCount = 4;

/**
 * The threshold above which, on a sample, as many latents of a `topk` SAE fire per token on average as it keeps of each: with n
 * rows, the (k · n + 1)-th largest of all positive pre-activations, and 0 when there are no more than k · n. It is what
 * BatchTopK keeps with the whole sample as its batch (Bussmann et al. 2024, https://arxiv.org/abs/2412.06410).
 *
 * `activations` gives batches [b × d] of usable rows, of which `mostRows` are read; it is asked a second time when some token
 * has more than 4 k latents above the threshold. Memory: about 4 k n numbers.
 *
 * Throws {@link UnsupportedError} for another activation, {@link DataError} for an empty sample, and as `encode` does.
 */
export async function topkThreshold(
  sae: Sae,
  activations: () => Iterable<Matrix> | AsyncIterable<Matrix>,
  kernels: Kernels,
  { mostRows = 65_536 }: { readonly mostRows?: number } = {},
): Promise<TopkThreshold> {
  const { activation } = sae;
  if (activation.kind !== "topk")
    throw new UnsupportedError(
      `Cannot find a threshold in place of k: the SAE is ${activation.kind}, expected topk`,
    );
  const { k } = activation;
  const m = sae.encoder.rows;
  const count = Math.min(firstCount * k, m);
  const pool = (selection: Selection) => poolActivations(sae, activations, kernels, selection, mostRows);

  const first = await pool({ kind: "top", count });
  const { rows } = first;
  if (rows === 0)
    throw new DataError("Cannot find a threshold in place of k: the sample of activations is empty");
  let threshold = largestAfter(first.values, k * rows);
  if (count < m && first.leastOfFullRows > threshold) {
    // Values left out can only raise the threshold, so those above this one are all that matter.
    const second = await pool({ kind: "threshold", threshold: allocateFloat32(m).fill(threshold) });
    threshold = Math.max(threshold, largestAfter(second.values, k * rows));
  }
  const description = `the ${k} largest of each token replaced by those above ${threshold}, as many on average over ${rows} tokens`;
  return {
    sae: recordFold({ ...sae, activation: { kind: "batchtopk", threshold } }, "threshold-form", description),
    threshold,
    rows,
  };
}

/** The activations of all tokens of a sample together. */
interface Pool {
  readonly values: Float32Array;
  readonly rows: number;
  /** The largest of the least activations of tokens that have as many as were asked for, and so may have more. */
  readonly leastOfFullRows: number;
}

async function poolActivations(
  sae: Sae,
  activations: () => Iterable<Matrix> | AsyncIterable<Matrix>,
  kernels: Kernels,
  selection: Selection,
  mostRows: number,
): Promise<Pool> {
  const parts: Float32Array[] = [];
  let rows = 0;
  let leastOfFullRows = 0;
  for await (const batch of activations()) {
    const x = rowRange(batch, 0, Math.min(batch.rows, mostRows - rows));
    const { code } = await encode(sae, x, kernels, { selection });
    parts.push(code.values);
    rows += x.rows;
    for (let i = 0; selection.kind === "top" && i < code.rows; i++) {
      const ofRow = code.values.subarray(code.offsets[i], code.offsets[i + 1]);
      if (ofRow.length === selection.count)
        leastOfFullRows = Math.max(
          leastOfFullRows,
          ofRow.reduce((least, value) => Math.min(least, value)),
        );
    }
    if (rows >= mostRows) break;
  }
  const values = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let filled = 0;
  for (const part of parts) {
    values.set(part, filled);
    filled += part.length;
  }
  return { values, rows, leastOfFullRows };
}

/** The largest of `values` but for the `count` largest, and 0 when there is none. Sorts them. */
function largestAfter(values: Float32Array, count: number): number {
  return values.sort().at(-count - 1) ?? 0;
}
