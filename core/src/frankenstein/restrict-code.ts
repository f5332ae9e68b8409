import { allocateFloat32, allocateInt32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import type { PooledTokens } from "./half-sample.ts";
import type { LatentPool } from "./latent-pool.ts";

/**
 * What some latents of the pool write, [n × k], column p being `latents[p]`, ids ascending; only where it is stronger than `floor`:
 * where f ‖w‖ exceeds it, f the activation in the SAE's own units and w the latent's direction in the pool.
 */
export function restrictCode(
  { code, outputScale }: Pick<PooledTokens, "code" | "outputScale">,
  pool: Pick<LatentPool, "normsSquared">,
  latents: Int32Array,
  floor = 0,
): SparseCode {
  const position = new Int32Array(code.columns).fill(-1);
  latents.forEach((id, p) => {
    position[id] = p;
  });
  const least = leastActivations(pool, latents, floor);
  const offsets = allocateInt32(code.rows + 1);
  const isKept = (entry: number, row: number) => {
    const p = position[code.indices[entry]];
    return p >= 0 && code.values[entry] > least[p] * outputScale[row];
  };
  for (let i = 0; i < code.rows; i++) {
    offsets[i + 1] = offsets[i];
    for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++)
      if (isKept(entry, i)) offsets[i + 1]++;
  }
  const indices = allocateInt32(offsets[code.rows]);
  const values = allocateFloat32(offsets[code.rows]);
  for (let i = 0, at = 0; i < code.rows; i++)
    for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++)
      if (isKept(entry, i)) {
        indices[at] = position[code.indices[entry]];
        values[at++] = code.values[entry];
      }
  return { rows: code.rows, columns: latents.length, offsets, indices, values };
}

/** The tokens with all latents of the pool under a floor; the same object without one. */
export function underFloor(tokens: PooledTokens, pool: LatentPool, floor: number): PooledTokens {
  if (floor === 0) return tokens;
  const everything = Int32Array.from({ length: pool.directions.rows }, (_, id) => id);
  return { ...tokens, code: restrictCode(tokens, pool, everything, floor) };
}

/** [k] what an activation must exceed to be kept, in the SAE's own units; 0 keeps every activation. */
export function leastActivations(
  { normsSquared }: Pick<LatentPool, "normsSquared">,
  latents: Int32Array,
  floor: number,
): Float32Array {
  return Float32Array.from(latents, (id) => (floor === 0 ? 0 : floor / Math.sqrt(normsSquared[id])));
}
