import { ShapeError } from "../errors.ts";
import { columnSums } from "../linalg/norm.ts";
import type { Matrix } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";

/**
 * Everything {@link reconstructionMetrics} needs, summed over tokens. Plain data: two samples' sums add up to the sums of both.
 *
 * r = x − x̂ is the residual. Batches of {@link addBatch} are the "batch" of the legacy formulas.
 */
export interface ReconstructionSums {
  tokens: number;
  /** [d] mean of x. */
  readonly mean: Float64Array;
  /** Σ ‖x − x̄‖², x̄ over all tokens. */
  deviation: number;
  /** Σ ‖r‖². */
  sse: number;
  /** [d] Σ r. */
  readonly residual: Float64Array;
  /** [m] tokens on which each latent was active. */
  readonly firings: Float64Array;
  /** Σ over tokens of 1 − ‖r‖² / ‖x − x̄_batch‖², and how many tokens that is. */
  tokenRatios: { sum: number; count: number };
  /** Σ over batches of 1 − Σ_d var(r) / Σ_d var(x), and how many batches that is. */
  batchRatios: { sum: number; count: number };
}

/**
 * Published formulas for "variance explained", from most to least trustworthy; all are higher for better SAEs, 1 is perfect.
 *
 * - `standard`: 1 − Σ‖r‖² / Σ‖x − x̄‖², x̄ the mean of the whole sample (R²).
 * - `dictionary-learning`: mean over batches of 1 − Σ_d var(r) / Σ_d var(x). What dictionary_learning and its relatives call
 *   `frac_variance_explained`. A constant error costs nothing, since the variance of r leaves out its mean.
 * - `saelens-legacy`: mean over tokens of 1 − ‖r‖² / ‖x − x̄_batch‖². SAELens and SAEBench until March 2025, thereafter
 *   `explained_variance_legacy`; most published figures. A token near the mean can outweigh all others (SAELens #443, SAEBench #61, #76).
 * - `saelens-about-zero`: 1 − E‖r‖² / (q − (q/d)²) with q = E‖x‖². SAELens' `explained_variance` between #443 (March 2025) and the
 *   mend of its issue #659 (#665, #710): variance about zero, not about the mean, so too high by far where x̄ is large; and
 *   a mean square, once more squared, taken off, so that it changes with the unit of x and can exceed 1.
 */
export const varianceFormulas = [
  "standard",
  "dictionary-learning",
  "saelens-legacy",
  "saelens-about-zero",
] as const;

/** Name of one of {@link varianceFormulas}. */
export type VarianceFormula = (typeof varianceFormulas)[number];

/** How well an SAE reconstructs a sample, and how sparsely. A ratio with nothing to divide by is NaN. */
export interface ReconstructionMetrics {
  /** n. */
  readonly tokens: number;
  /** Mean squared error per element: Σ‖r‖² / (n·d), in squared units of the activations. Lower is better. */
  readonly mse: number;
  /** Mean squared error per token: Σ‖r‖² / n, in squared units of the activations. Lower is better. */
  readonly ssePerToken: number;
  /** Σ‖r‖². Lower is better. */
  readonly sse: number;
  /** Share of the variance of x that is explained, by `standard`; at most 1, negative when worse than the mean. Higher is better. */
  readonly varianceExplained: number;
  /** The same by every published formula; compare a publisher's figure with its own formula only. Higher is better. */
  readonly varianceExplainedBy: Readonly<Record<VarianceFormula, number>>;
  /** Mean number of active latents per token. Lower is sparser. */
  readonly l0: number;
  /** Share of latents never active on this sample. Lower is better. */
  readonly deadShare: number;
  /** [m] share of the tokens on which each latent is active. */
  readonly density: Float64Array;
  /** [d] mean of x. */
  readonly mean: Float64Array;
  /** [d] mean of r: what re-fitting the decoder bias would add to it. */
  readonly meanResidual: Float64Array;
}

/** The sums of no tokens, for activations of width `d` and an SAE of `m` latents. */
export function emptyReconstructionSums(d: number, m: number): ReconstructionSums {
  return {
    tokens: 0,
    mean: new Float64Array(d),
    deviation: 0,
    sse: 0,
    residual: new Float64Array(d),
    firings: new Float64Array(m),
    tokenRatios: { sum: 0, count: 0 },
    batchRatios: { sum: 0, count: 0 },
  };
}

/**
 * Add a batch to `sums`: activations `x` [b × d], `residual` x − x̂ [b × d] and `code` [b × m], excluded rows already left out.
 *
 * A batch without variance (one row, or all rows equal) and a token equal to its batch's mean do not enter the legacy means,
 * which would have to divide by zero. Throws {@link ShapeError} when shapes do not fit.
 */
export function addBatch(sums: ReconstructionSums, x: Matrix, residual: Matrix, code: SparseCode): void {
  const d = sums.mean.length;
  const rows = x.rows;
  if (x.columns !== d || residual.columns !== d || residual.rows !== rows || code.rows !== rows)
    throw new ShapeError(
      `Cannot add a batch of ${rows} × ${x.columns} activations, ${residual.rows} × ${residual.columns} residuals and ` +
        `${code.rows} codes to sums over width ${d}: rows must agree and widths be ${d}`,
    );
  if (code.columns !== sums.firings.length)
    throw new ShapeError(
      `Cannot add codes of ${code.columns} latents to sums over ${sums.firings.length} latents`,
    );
  if (rows === 0) return;
  for (let e = code.offsets[0]; e < code.offsets[rows]; e++) sums.firings[code.indices[e]]++;

  const mean = columnMeans(x);
  const residualSum = new Float64Array(d);
  let deviation = 0;
  let sse = 0;
  for (let i = 0, at = 0; i < rows; i++) {
    let tokenDeviation = 0;
    let tokenError = 0;
    for (let c = 0; c < d; c++, at++) {
      const centred = x.values[at] - mean[c];
      const r = residual.values[at];
      tokenDeviation += centred * centred;
      tokenError += r * r;
      residualSum[c] += r;
    }
    deviation += tokenDeviation;
    sse += tokenError;
    if (tokenDeviation > 0) {
      sums.tokenRatios.sum += 1 - tokenError / tokenDeviation;
      sums.tokenRatios.count++;
    }
  }
  if (deviation > 0) {
    const residualDeviation = sse - squaredNorm(residualSum) / rows;
    sums.batchRatios.sum += 1 - residualDeviation / deviation;
    sums.batchRatios.count++;
  }
  sums.sse += sse;
  for (let c = 0; c < d; c++) sums.residual[c] += residualSum[c];
  mergeDeviation(sums, { tokens: rows, mean, deviation });
}

/** The sums of both samples; the arguments stay as they are. Throws {@link ShapeError} when widths differ. */
export function mergeReconstructionSums(a: ReconstructionSums, b: ReconstructionSums): ReconstructionSums {
  const d = a.mean.length;
  const m = a.firings.length;
  if (b.mean.length !== d || b.firings.length !== m)
    throw new ShapeError(
      `Cannot merge sums over width ${d} and ${m} latents with sums over width ${b.mean.length} and ${b.firings.length} latents`,
    );
  const merged: ReconstructionSums = {
    tokens: a.tokens,
    mean: a.mean.slice(),
    deviation: a.deviation,
    sse: a.sse + b.sse,
    residual: a.residual.map((value, c) => value + b.residual[c]),
    firings: a.firings.map((value, j) => value + b.firings[j]),
    tokenRatios: addRatios(a.tokenRatios, b.tokenRatios),
    batchRatios: addRatios(a.batchRatios, b.batchRatios),
  };
  mergeDeviation(merged, b);
  return merged;
}

/** The figures that follow from the sums; all NaN but `tokens`, `sse` and `mean` when there are no tokens. */
export function reconstructionMetrics(sums: ReconstructionSums): ReconstructionMetrics {
  const { tokens, sse, firings, mean } = sums;
  const d = mean.length;
  const density = firings.map((count) => count / tokens);
  const varianceExplained = 1 - sse / sums.deviation;
  const meanSquare = sums.deviation / tokens + squaredNorm(mean);
  return {
    tokens,
    mse: sse / (tokens * d),
    ssePerToken: sse / tokens,
    sse,
    varianceExplained,
    varianceExplainedBy: {
      standard: varianceExplained,
      "dictionary-learning": sums.batchRatios.sum / sums.batchRatios.count,
      "saelens-legacy": sums.tokenRatios.sum / sums.tokenRatios.count,
      "saelens-about-zero": 1 - sse / tokens / (meanSquare - (meanSquare / d) ** 2),
    },
    l0: density.reduce((total, share) => total + share, 0),
    deadShare: tokens === 0 ? Number.NaN : firings.filter((count) => count === 0).length / firings.length,
    density,
    mean: mean.slice(),
    meanResidual: sums.residual.map((value) => value / tokens),
  };
}

/**
 * Add the mean and the squared deviations of `other` tokens to `sums`. Chan, Golub & LeVeque (1983): unlike Σx² − n·x̄² it keeps
 * its accuracy when the mean is large.
 */
function mergeDeviation(
  sums: ReconstructionSums,
  other: Pick<ReconstructionSums, "tokens" | "mean" | "deviation">,
): void {
  if (other.tokens === 0) return;
  const tokens = sums.tokens + other.tokens;
  const share = other.tokens / tokens;
  let shift = 0;
  for (let c = 0; c < sums.mean.length; c++) {
    const delta = other.mean[c] - sums.mean[c];
    shift += delta * delta;
    sums.mean[c] += delta * share;
  }
  sums.deviation += other.deviation + shift * sums.tokens * share;
  sums.tokens = tokens;
}

function columnMeans(m: Matrix): Float64Array {
  return columnSums(m).map((sum) => sum / m.rows);
}

function addRatios(a: ReconstructionSums["tokenRatios"], b: ReconstructionSums["tokenRatios"]) {
  return { sum: a.sum + b.sum, count: a.count + b.count };
}

function squaredNorm(values: Float64Array): number {
  return values.reduce((total, value) => total + value * value, 0);
}
