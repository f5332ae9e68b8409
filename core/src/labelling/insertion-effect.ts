import { rowNormsSquared, rowsTimes } from "../linalg/norm.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { finishInsertionSums, type InsertionSums } from "./insertion-sums.ts";

/**
 * What the decoder bias does when a latent is inserted: `host` leaves the host's bias as it is; `refit` gives the host its
 * best bias (the mean residual added) both before and after, so that a latent earns nothing for shifting the mean.
 */
export type BiasRule = "host" | "refit";

/** The effect of inserting each donor latent alone; every array is [m]. */
export interface InsertionEffect {
  /** Documents the standard errors rest on. */
  readonly documents: number;
  /** Change of the mean squared error per element of the activation; negative means insertion improves. */
  readonly deltaMse: Float64Array;
  /** Standard error of `deltaMse`, from sums within documents; NaN with fewer than two documents. */
  readonly standardError: Float64Array;
  /**
   * The factor α by which the latent's output would have to be multiplied for the lowest error. An inserted latent improves
   * exactly when α > ½; between 0 and ½ it brings something new but overshoots. NaN for a latent that never entered.
   */
  readonly scale: Float64Array;
}

/**
 * Effect of every insertion from its running sums.
 *
 *     ΔSSE_j = Σ [ f_j² ‖w_j‖² − 2 f_j ⟨w_j, r⟩ ]        α_j = Σ f_j ⟨w_j, r⟩ / (‖w_j‖² Σ f_j²)
 *
 * Re-fitting the bias after the insertion gains ‖E r'‖², and before it ‖E r‖²; their difference is subtracted. Its standard
 * error is linear in the sums within documents and takes the mean residual as known.
 *
 * `directions` is the donor's decoder [m × d], `meanResidual` the host's E r [d].
 */
export function insertionEffect(
  unfinished: InsertionSums,
  directions: Matrix,
  { bias = "host", meanResidual }: { readonly bias?: BiasRule; readonly meanResidual: Float64Array },
): InsertionEffect {
  const sums = finishInsertionSums(unfinished);
  const { tokens, documents } = sums;
  const d = directions.columns;
  const normsSquared = rowNormsSquared(directions);
  const towardsMean = bias === "refit" ? rowsTimes(directions, meanResidual) : new Float64Array(sums.latents);
  const deltaMse = new Float64Array(sums.latents);
  const standardError = new Float64Array(sums.latents);
  const scale = new Float64Array(sums.latents);

  for (let j = 0; j < sums.latents; j++) {
    const output = normsSquared[j] * sums.activationSquared[j];
    const inserted = (output - 2 * sums.projected[j] + sums.evicted[j]) / tokens;
    scale[j] = sums.projected[j] / output;

    const mean = sums.activation[j] / tokens;
    const refitGain = bias === "refit" ? mean * mean * normsSquared[j] - 2 * mean * towardsMean[j] : 0;
    const delta = inserted - refitGain;
    deltaMse[j] = delta / d;

    const slope = bias === "refit" ? 2 * towardsMean[j] - 2 * mean * normsSquared[j] : 0;
    const centre = inserted + slope * mean;
    standardError[j] = documentError(sums, j, centre, slope) / d;
  }
  return { documents: documents.count, deltaMse, standardError, scale };
}

/**
 * Standard error of the mean per token of what latent `j` adds up to, from finished sums. Each document's influence is
 * S + slope · F − N · centre, with S, F and N as in {@link InsertionSums}; NaN with fewer than two documents.
 */
export function documentError(sums: InsertionSums, j: number, centre: number, slope = 0): number {
  const { tokens, documents } = sums;
  if (documents.count < 2) return Number.NaN;
  // The squares of the influences expand into the sums that were kept.
  const squares =
    documents.deltaSquared[j] +
    2 * slope * documents.deltaActivation[j] +
    slope * slope * documents.activationSquared[j] -
    2 * centre * (documents.deltaTokens[j] + slope * documents.activationTokens[j]) +
    centre * centre * documents.tokensSquared;
  const correction = documents.count / (documents.count - 1);
  return Math.sqrt(Math.max(0, squares * correction)) / tokens;
}
