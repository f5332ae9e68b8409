import { UnsupportedError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { PUBLISHED_COSINE_THRESHOLD } from "../labelling/cosine-predictor.ts";
import { directionsOf, type LatentPool, latentsOf } from "./latent-pool.ts";

/**
 * Choose latents by the published recipe of Frankenstein's SAE (Leask et al. 2024): take the first SAE whole, then of each further
 * one, in the order of the pool, those latents whose highest cosine to all directions collected so far is below `cosine`.
 *
 * "So far" means before this SAE: the latents of one SAE are compared with those of earlier SAEs and not with each other, as published,
 * where a whole SAE is told into novel and other latents at once. One by one the result would depend on the order in which an SAE
 * happens to number its latents, and splits within one SAE, which it learned to use together, would be thrown out.
 *
 * With a budget of `latents`, the least similar enter first, and it ends where the budget is met. Returns pool ids, ascending. Throws
 * {@link UnsupportedError} when the first SAE alone exceeds the budget.
 */
export async function selectByThreshold(
  pool: LatentPool,
  kernels: Kernels,
  {
    cosine = PUBLISHED_COSINE_THRESHOLD,
    latents = Number.POSITIVE_INFINITY,
    saes = pool.saes.length,
  }: {
    readonly cosine?: number;
    readonly latents?: number;
    /** Only the first so many SAEs of the pool. */
    readonly saes?: number;
  } = {},
): Promise<Int32Array> {
  const first = latentsOf(pool, 0);
  if (first.length > latents)
    throw new UnsupportedError(
      `A budget of ${latents} latents cannot be met by cosine threshold: it starts from the whole first SAE, which has ${first.length}. Give at least that, or a smaller SAE first`,
    );
  const collected = Array.from(first);
  for (let s = 1; s < saes && collected.length < latents; s++) {
    const ids = latentsOf(pool, s);
    const { cosines } = await kernels.match(pool.saes[s].decoder, directionsOf(pool, collected), 1);
    const novel = Array.from(ids.keys())
      .filter((latent) => cosines[latent] < cosine)
      .sort((a, b) => cosines[a] - cosines[b] || a - b)
      .slice(0, latents - collected.length);
    collected.push(...novel.map((latent) => ids[latent]));
  }
  return Int32Array.from(collected).sort();
}
