import { entriesWithin } from "./budget.ts";
import type { PooledTokens } from "./half-sample.ts";
import type { LatentPool } from "./latent-pool.ts";
import { restrictCode } from "./restrict-code.ts";

/** How L0 falls as a common floor for all activations rises. */
export interface FloorFinder {
  /** Mean number of active latents per token under a floor. */
  l0At(floor: number): number;
  /**
   * The lowest floor (see {@link Dictionary.floor}) at which L0 is at most `l0`; 0 when it is without one. Where several
   * activations are equally strong none of them or all are dropped, so L0 may come out lower.
   */
  floorFor(l0: number): number;
}

/** Rank the activations of some latents of the pool on `tokens` by strength. */
export function floorFinder(tokens: PooledTokens, pool: LatentPool, latents: Int32Array): FloorFinder {
  const { rows, offsets, indices, values } = restrictCode(tokens, pool, latents);
  const norms = Float64Array.from(latents, (id) => Math.sqrt(pool.normsSquared[id]));
  const strengths = new Float64Array(values.length);
  for (let i = 0; i < rows; i++)
    for (let entry = offsets[i]; entry < offsets[i + 1]; entry++)
      strengths[entry] = (values[entry] * norms[indices[entry]]) / tokens.outputScale[i];
  strengths.sort();
  return {
    l0At: (floor) => (strengths.length - countUpTo(strengths, floor)) / rows,
    // A little higher, so that rounding to float32 on the way keeps none that should go.
    floorFor: (l0) => (strengths[strengths.length - 1 - entriesWithin(l0, rows)] ?? 0) * (1 + 2 ** -22),
  };
}

/** How many of the ascending `values` are at most `limit`. */
function countUpTo(values: Float64Array, limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
