import type { InsertionBatch } from "../labelling/insertion-accumulator.ts";
import { documentError } from "../labelling/insertion-effect.ts";
import { finishInsertionSums, type InsertionSums } from "../labelling/insertion-sums.ts";
import { decideEffects, type Effect } from "../labelling/verdict.ts";
import type { Sae } from "../sae/sae.ts";
import { allocateFloat32, allocateInt32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { arrangeExchange, type Exchange } from "./exchange.ts";
import type { Family } from "./families.ts";

/** What swapping each family alone does to the smaller SAE; every column is [families]. */
export interface FamilySwaps {
  /** Change of the MSE per element; lower is better, negative improves. */
  readonly deltaMse: Float64Array;
  /** Standard error of `deltaMse`, tokens summed within documents first. */
  readonly standardError: Float64Array;
  /** Two-sided p-value of `deltaMse` = 0; NaN for families that never fire. */
  readonly pValue: Float64Array;
  /** Change of the mean number of active latents per token. */
  readonly deltaL0: Float64Array;
  /** Whether the swap improves or worsens, at the chosen false-discovery rate; silent when no latent of the family ever fires. */
  readonly effect: readonly Effect[];
}

/** All `families` as swaps that are made one by one, each its own: its smaller latents leave and its larger ones enter. */
export function familyExchange(smaller: Sae, larger: Sae, families: readonly Family[]): Exchange {
  return arrangeExchange(
    smaller,
    larger,
    families.map((family) => ({ remove: family.smaller, insert: family.larger })),
  );
}

/**
 * The swaps of a batch in the form of insertions, one latent per family, so that insertion's sums, with their care for documents, serve for
 * swaps as they are. With directions of length zero and activations of 1, a projection of −Δ/2 makes a change of Δ.
 *
 * `moved` is the exchanged code, and `projections` its walk over the smaller SAE's residual in groups of one swap each, so that
 * Δ = Σ v² ‖w‖² − 2 v · projection over a family's entries is its exact change of a token's squared error.
 */
export function swapsAsInsertions(
  { swap, normsSquared }: Exchange,
  families: number,
  moved: SparseCode,
  projections: Float32Array,
): Pick<InsertionBatch, "code" | "projections"> {
  const offsets = allocateInt32(moved.rows + 1);
  const indices = allocateInt32(moved.indices.length);
  const halves = allocateFloat32(moved.indices.length);
  let count = 0;
  for (let i = 0; i < moved.rows; i++) {
    for (let entry = moved.offsets[i]; entry < moved.offsets[i + 1]; ) {
      const family = swap[moved.indices[entry]];
      let delta = 0;
      for (; entry < moved.offsets[i + 1] && swap[moved.indices[entry]] === family; entry++) {
        const v = moved.values[entry];
        delta += v * v * normsSquared[moved.indices[entry]] - 2 * v * projections[entry];
      }
      indices[count] = family;
      halves[count++] = -delta / 2;
    }
    offsets[i + 1] = count;
  }
  const code = {
    rows: moved.rows,
    columns: families,
    offsets,
    indices: indices.subarray(0, count),
    values: new Float32Array(count).fill(1),
  };
  return { code, projections: halves.subarray(0, count) };
}

/**
 * The effect of each swap from the sums of {@link swapsAsInsertions}, for activations of width `d`. `firings` says on how many tokens each
 * latent of either SAE fired.
 */
export function familySwaps(
  families: readonly Family[],
  unfinished: InsertionSums,
  d: number,
  firings: { readonly smaller: Float64Array; readonly larger: Float64Array },
  falseDiscoveryRate: number,
): FamilySwaps {
  const sums = finishInsertionSums(unfinished);
  const deltaSse = sums.projected.map((half) => (0 - 2 * half) / sums.tokens);
  const deltaMse = deltaSse.map((delta) => delta / d);
  const standardError = deltaSse.map((delta, f) => documentError(sums, f, delta) / d);
  const total = (latents: readonly number[], fired: Float64Array) =>
    latents.reduce((sum, latent) => sum + fired[latent], 0);
  return {
    deltaMse,
    standardError,
    ...decideEffects(deltaMse, standardError, sums.fired, falseDiscoveryRate),
    deltaL0: Float64Array.from(
      families,
      ({ smaller, larger }) =>
        (total(larger, firings.larger) - total(smaller, firings.smaller)) / sums.tokens,
    ),
  };
}
