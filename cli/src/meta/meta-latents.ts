import { type SparseCode, strongestParts, transposeCode } from "@saestitch/core";
import type { MetaRun } from "./meta-run.ts";

/** How many of its latents are named for each meta-latent. */
const TOP_LATENTS = 5;

/** A latent of an SAE, and how close its direction is. */
export interface NearestLatent {
  readonly latent: number;
  readonly cosine: number;
}

/** One meta-latent. */
export interface MetaLatent {
  /** How many latents it is active on. */
  readonly latents: number;
  /** Over these; null where there is none. */
  readonly meanStrength: number | null;
  /** Those it is strongest on, strongest first. */
  readonly topLatents: readonly number[];
  readonly nearestLarger: NearestLatent;
  readonly nearestSmaller: NearestLatent | null;
}

/** Every meta-latent, in the order of the meta-SAE. */
export function metaLatents({ larger, code, toLarger, comparison }: MetaRun): MetaLatent[] {
  const { latents } = larger.unit;
  const byMeta = transposeCode(code);
  const smaller = comparison && { ...comparison.smaller.unit, matches: comparison.result.toSmaller };
  return Array.from({ length: code.columns }, (_, j) => {
    const strengths = byMeta.values.subarray(byMeta.offsets[j], byMeta.offsets[j + 1]);
    return {
      latents: strengths.length,
      meanStrength:
        strengths.length === 0 ? null : strengths.reduce((sum, s) => sum + s, 0) / strengths.length,
      topLatents: strongestParts(byMeta, j, TOP_LATENTS).map(({ index }) => latents[index]),
      nearestLarger: { latent: latents[toLarger.indices[j]], cosine: toLarger.cosines[j] },
      nearestSmaller: smaller && {
        latent: smaller.latents[smaller.matches.indices[j]],
        cosine: smaller.matches.cosines[j],
      },
    };
  });
}

/** How many directions have so many active meta-latents: entry a of the result is the number of those with a. */
export function activeCounts({ rows, offsets }: SparseCode): number[] {
  const active = Array.from({ length: rows }, (_, i) => offsets[i + 1] - offsets[i]);
  const most = active.reduce((most, count) => Math.max(most, count), 0);
  const counts = Array.from({ length: most + 1 }, () => 0);
  for (const count of active) counts[count]++;
  return counts;
}
