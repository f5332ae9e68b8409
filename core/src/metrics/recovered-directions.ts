import type { Kernels } from "../kernels/kernels.ts";
import type { Sae } from "../sae/sae.ts";
import type { Matrix } from "../tensor/matrix.ts";

/** Cosine above which one of an SAE's directions counts as a true one. */
export const RECOVERED_COSINE = 0.9;

/** How many of the true directions, where those are known, an SAE has found. */
export interface RecoveredDirections {
  /** The highest cosine that any of the SAE's directions has to each true one, [true directions]. Higher is better. */
  readonly cosines: Float32Array;
  /** Whether that exceeds {@link RECOVERED_COSINE}, [true directions]. */
  readonly isRecovered: readonly boolean[];
  readonly recovered: number;
  /** Of all true directions; higher is better. */
  readonly share: number;
  /** Mean of `cosines` (mean max cosine similarity; Sharkey et al. 2022). Higher is better. */
  readonly meanCosine: number;
}

/** Look for each of the `truth` [true directions × d] among the directions of `sae`. */
export async function recoveredDirections(
  truth: Matrix,
  sae: Sae,
  kernels: Kernels,
): Promise<RecoveredDirections> {
  const { cosines } = await kernels.match(truth, sae.decoder, 1);
  const isRecovered = Array.from(cosines, (cosine) => cosine > RECOVERED_COSINE);
  const recovered = isRecovered.filter(Boolean).length;
  let sum = 0;
  for (const cosine of cosines) sum += cosine;
  return {
    cosines,
    isRecovered,
    recovered,
    share: recovered / truth.rows,
    meanCosine: sum / truth.rows,
  };
}

/**
 * What a latent of a larger SAE brings, where the true directions are known. It stands for the nearest of them, if the cosine to it
 * exceeds {@link RECOVERED_COSINE}.
 *
 * - `novel`: it stands for one that the smaller SAE has not recovered;
 * - `known`: it stands for one that the smaller SAE has recovered;
 * - `none`: it stands for no true direction.
 */
export type TrueNovelty = "novel" | "known" | "none";

/** What each latent of `larger` brings beside those of `smaller`, [m], by the `truth` [true directions × d] alone. */
export async function trueNovelty(
  truth: Matrix,
  { smaller, larger }: { readonly smaller: Sae; readonly larger: Sae },
  kernels: Kernels,
): Promise<TrueNovelty[]> {
  const { isRecovered } = await recoveredDirections(truth, smaller, kernels);
  const { indices, cosines } = await kernels.match(larger.decoder, truth, 1);
  return Array.from(indices, (nearest, j) => {
    if (!(cosines[j] > RECOVERED_COSINE)) return "none";
    return isRecovered[nearest] ? "known" : "novel";
  });
}
