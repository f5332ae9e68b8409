import type { Kernels } from "../kernels/kernels.ts";
import { type Random, randomDirection } from "../linalg/random.ts";
import { bootstrapRoc, type Interval } from "../statistics/bootstrap.ts";
import { bestThreshold, type Cut, cutAt, rocCurve } from "../statistics/roc.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";

/** The cut below which the authors of stitching call a latent novel on GPT-2 (Leask et al. 2025, arXiv 2502.04878). */
export const PUBLISHED_COSINE_THRESHOLD = 0.7;

/** How well a low best cosine to the smaller SAE foretells that inserting a live latent improves reconstruction. */
export interface CosinePredictor {
  /** Area under the ROC curve: ½ is chance, 1 perfect; null when all live latents improve, or none does. */
  readonly auc: number | null;
  readonly aucInterval: Interval | null;
  /** The cut with the greatest Youden's J: latents below it are called novel. */
  readonly best: Cut | null;
  readonly thresholdInterval: Interval | null;
  /** {@link PUBLISHED_COSINE_THRESHOLD} on the same latents. */
  readonly published: Cut | null;
}

/** What best cosines look like for directions that mean nothing. */
export interface CosineNull {
  /** Random directions drawn. */
  readonly directions: number;
  readonly mean: number;
  /** Below this lie 95 in 100 random directions. */
  readonly percentile95: number;
  /** Below this lie 99 in 100 random directions. */
  readonly percentile99: number;
}

/**
 * Judge the cosine predictor on live latents; intervals are 95 % percentile bootstraps over latents.
 *
 * `cosine`, `deltaMse` and `fired` are [m].
 */
export function judgeCosine(
  cosine: Float32Array,
  deltaMse: Float64Array,
  fired: Float64Array,
  random: Random,
): CosinePredictor {
  const live = Array.from(fired.keys()).filter((j) => fired[j] > 0);
  const scores = Float64Array.from(live, (j) => cosine[j]);
  const improves = Uint8Array.from(live, (j) => (deltaMse[j] < 0 ? 1 : 0));
  const curve = rocCurve(scores, improves);
  const intervals = bootstrapRoc(scores, improves, { random });
  return {
    auc: curve?.area ?? null,
    aucInterval: intervals?.area ?? null,
    best: curve === null ? null : bestThreshold(curve),
    thresholdInterval: intervals?.threshold ?? null,
    published: cutAt(scores, improves, PUBLISHED_COSINE_THRESHOLD),
  };
}

/** Best cosines to the rows of `directions` of as many random directions as asked. */
export async function cosineNull(
  directions: Matrix,
  kernels: Kernels,
  random: Random,
  { count = 2048 }: { readonly count?: number } = {},
): Promise<CosineNull> {
  const drawn = zeros(count, directions.columns);
  for (let i = 0; i < count; i++) randomDirection(random, row(drawn, i));
  const cosines = (await kernels.match(drawn, directions, 1)).cosines.slice().sort();
  return {
    directions: count,
    mean: cosines.reduce((sum, cosine) => sum + cosine, 0) / count,
    percentile95: cosines[Math.ceil(0.95 * count) - 1],
    percentile99: cosines[Math.ceil(0.99 * count) - 1],
  };
}
