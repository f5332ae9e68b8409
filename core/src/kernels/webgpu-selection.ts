import { allocateFloat32, allocateInt32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import type { Floors } from "./selection-floors.ts";

/**
 * What a selection leaves of candidates (ascending within a row, every latent that it keeps among them) with exact pre-activations `p`, one
 * for each entry; equal ones go to the lower latent.
 */
export function selectCandidates(candidates: SparseCode, p: Float32Array, floors: Floors): SparseCode {
  const { rows, columns } = candidates;
  const offsets = allocateInt32(rows + 1);
  const latents = new Int32Array(p.length);
  const values = new Float32Array(p.length);
  let length = 0;
  for (let i = 0; i < rows; i++) {
    const start = length;
    for (let entry = candidates.offsets[i]; entry < candidates.offsets[i + 1]; entry++) {
      const latent = candidates.indices[entry];
      const value = activation(p[entry], i, latent, floors);
      if (value === null) continue;
      latents[length] = latent;
      values[length++] = value;
    }
    if (floors.top > 0) length = keepLargest(latents, values, start, length, floors.top);
    offsets[i + 1] = length;
  }
  const code = { rows, columns, offsets, indices: allocateInt32(length), values: allocateFloat32(length) };
  code.indices.set(latents.subarray(0, length));
  code.values.set(values.subarray(0, length));
  return code;
}

/** Activation of a latent of row `i` with pre-activation `p`; null when it has none. */
function activation(p: number, i: number, latent: number, floors: Floors): number | null {
  if (!(p > floors.rowFloor[i] && p > floors.latentFloor[latent])) return null;
  if (floors.affine === undefined) return p;
  const value = Math.fround(p * floors.affine.scale[latent] + floors.affine.offset[latent]);
  return value > 0 ? value : null;
}

/** Move the `count` largest of the values from `start` to `end` (exclusive), with their latents, to `start`, in order; returns where they end. */
function keepLargest(
  latents: Int32Array,
  values: Float32Array,
  start: number,
  end: number,
  count: number,
): number {
  if (end - start <= count) return end;
  const ascending = values.slice(start, end).sort();
  const least = ascending[ascending.length - count];
  let equal = count;
  for (const value of ascending) if (value > least) equal--;
  let kept = start;
  for (let entry = start; entry < end; entry++) {
    if (values[entry] < least || (values[entry] === least && equal-- <= 0)) continue;
    latents[kept] = latents[entry];
    values[kept++] = values[entry];
  }
  return kept;
}
