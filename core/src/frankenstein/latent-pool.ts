import { ShapeError } from "../errors.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import { checkComparable } from "../sae/comparable.ts";
import type { Contributions } from "../sae/encode.ts";
import type { Sae } from "../sae/sae.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import { allocateFloat32, allocateInt32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";

/** The latents of several SAEs numbered through, those of the first SAE first: latent l of SAE s has the id `starts[s] + l`. */
export interface LatentPool {
  readonly saes: readonly Sae[];
  /** [SAEs + 1] id of each SAE's first latent; the last element is M, the number of latents in the pool. */
  readonly starts: readonly number[];
  /** [M × d] all decoders, one below the other. */
  readonly directions: Matrix;
  /** [M] squared length of each direction. */
  readonly normsSquared: Float64Array;
}

/** Number the latents of `saes` through. Throws as {@link checkComparable} does, and {@link ShapeError} for no SAEs. */
export function poolLatents(saes: readonly Sae[]): LatentPool {
  if (saes.length === 0) throw new ShapeError("Cannot pool the latents of no SAEs; at least one is needed");
  checkComparable(saes);
  const starts = [0];
  for (const { decoder } of saes) starts.push(starts[starts.length - 1] + decoder.rows);
  const directions = zeros(starts[saes.length], saes[0].decoder.columns);
  saes.forEach(({ decoder }, s) => {
    directions.values.set(decoder.values, starts[s] * decoder.columns);
  });
  return { saes, starts, directions, normsSquared: rowNormsSquared(directions) };
}

/** Which SAE, and which of its latents, the pool's latent `id` is. */
export function whose({ starts }: LatentPool, id: number): { readonly sae: number; readonly latent: number } {
  let sae = 0;
  while (starts[sae + 1] <= id) sae++;
  return { sae, latent: id - starts[sae] };
}

/** The pool's ids of all latents of SAE number `sae`, ascending. */
export function latentsOf({ starts }: LatentPool, sae: number): Int32Array {
  return Int32Array.from({ length: starts[sae + 1] - starts[sae] }, (_, latent) => starts[sae] + latent);
}

/** The directions of some latents, [ids × d], a copy. */
export function directionsOf({ directions }: LatentPool, ids: ArrayLike<number>): Matrix {
  const copy = zeros(ids.length, directions.columns);
  for (let i = 0; i < ids.length; i++) row(copy, i).set(row(directions, ids[i]));
  return copy;
}

/**
 * What all latents of the pool write, [b × M], from what those of each SAE write: `codes[s]` for SAE s; more codes than the
 * pool has SAEs may be given, and are left alone. Only `rows` are taken (default all).
 */
export function poolCode(
  { saes, starts }: LatentPool,
  codes: readonly Contributions[],
  rows?: Int32Array,
): SparseCode {
  const parts = saes.map((_, s) => codes[s].contributions);
  const count = rows?.length ?? parts[0].rows;
  const rowOf = (i: number) => rows?.[i] ?? i;
  const offsets = allocateInt32(count + 1);
  for (let i = 0; i < count; i++) {
    offsets[i + 1] = offsets[i];
    for (const part of parts) offsets[i + 1] += part.offsets[rowOf(i) + 1] - part.offsets[rowOf(i)];
  }
  const indices = allocateInt32(offsets[count]);
  const values = allocateFloat32(offsets[count]);
  let at = 0;
  for (let i = 0; i < count; i++)
    parts.forEach((part, s) => {
      const end = part.offsets[rowOf(i) + 1];
      for (let entry = part.offsets[rowOf(i)]; entry < end; entry++, at++) {
        indices[at] = starts[s] + part.indices[entry];
        values[at] = part.values[entry];
      }
    });
  return { rows: count, columns: starts[saes.length], offsets, indices, values };
}
