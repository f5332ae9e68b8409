import { DataError, ShapeError } from "../errors.ts";
import { dot } from "../linalg/dot.ts";
import { type ReconstructionMetrics, reconstructionMetrics } from "../metrics/reconstruction.ts";
import { row } from "../tensor/matrix.ts";
import { movesOf } from "./exchange.ts";
import { donorShare, leaveMoved, type TrajectoryBias, type Walk } from "./trajectory-bias.ts";
import type { TrajectorySums } from "./trajectory-sums.ts";

/** The path, one row for the smaller SAE and one more after every step; every column is [steps + 1]. */
export interface TrajectoryColumns {
  /** Latents of the dictionary. */
  readonly latents: Int32Array;
  /** Latents of the smaller SAE removed so far. */
  readonly removed: Int32Array;
  /** Latents of the larger SAE inserted so far. */
  readonly inserted: Int32Array;
  /** Mean squared error per element, under the chosen rule for the bias. */
  readonly mse: Float64Array;
  /** Change of `mse` by the step, the change of the bias included; 0 in the first row. */
  readonly deltaMse: Float64Array;
  /** Share of the variance of x that is explained: 1 − Σ‖r‖² / Σ‖x − x̄‖². */
  readonly varianceExplained: Float64Array;
  /** Mean number of active latents per token. */
  readonly l0: Float64Array;
  /** `mse` under every rule for the bias. */
  readonly mseBy: Readonly<Record<TrajectoryBias, Float64Array>>;
}

/** An end of the path beside the SAE that it should be. */
export interface EndCheck {
  /** MSE on the path. */
  readonly reached: number;
  /** MSE of the SAE itself. */
  readonly measured: number;
  /** (reached − measured) / measured. */
  readonly relativeDifference: number;
}

/** Where the error rises, although it is said to fall at every step. */
export interface Rises {
  /** Steps (from 1) after which the MSE is higher than before, by more than {@link ROUNDING}. */
  readonly steps: Int32Array;
  /** The step with the largest rise; 0 when there is none. */
  readonly largestStep: number;
  /** Its change of the MSE; 0 when there is none. */
  readonly largest: number;
  /** All rises together, in MSE. */
  readonly total: number;
}

/** The measured path of a plan. */
export interface Trajectory {
  readonly bias: TrajectoryBias;
  readonly tokens: number;
  /** Rows left out because the source marks them. */
  readonly excluded: number;
  /** Rows left out because they hold NaN or infinite values. */
  readonly nonFinite: number;
  /** Both SAEs by themselves, on the same tokens. */
  readonly smaller: ReconstructionMetrics;
  readonly larger: ReconstructionMetrics;
  readonly path: TrajectoryColumns;
  readonly ends: {
    /** The first row with the host's bias, which is the smaller SAE. */
    readonly start: EndCheck;
    /** The last row with the donor's bias, which is the larger SAE when all latents have moved; null when not all have. */
    readonly end: EndCheck | null;
  };
  readonly rises: Rises;
}

/** Share of the smaller SAE's MSE below which a rise is taken for rounding of float32 sums. */
export const ROUNDING = 1e-8;

/**
 * The trajectory of `steps` from what `measureTrajectory` measured on the whole sample for these SAEs and steps, in closed form.
 *
 * With SSE_k = Σ‖r_k‖² and S_k = Σ s·r_k after step k, and the bias moved by δ_k, which changes a token's residual by −s·δ_k:
 *
 *     SSE_k(δ) = SSE_k − 2⟨δ_k, S_k⟩ + ‖δ_k‖² Σs²        refit: δ_k = S_k / Σs², SSE_k(δ) = SSE_k − ‖S_k‖² / Σs²
 *
 * `measured` are the MSEs that the ends are compared with: by default those of both SAEs in the same pass, the larger's from
 * decoding its own codes. The path begins at the smaller's, so only one measured elsewhere can differ from it.
 *
 * Throws {@link DataError} when no token counted and {@link ShapeError} for sums over other steps.
 */
export function trajectory(
  { smaller, larger, steps }: Walk,
  sums: TrajectorySums,
  {
    bias = "host",
    measured = {},
  }: {
    readonly bias?: TrajectoryBias;
    readonly measured?: { readonly smaller?: number; readonly larger?: number };
  } = {},
): Trajectory {
  const { tokens } = sums.smaller;
  if (tokens === 0)
    throw new DataError(
      `No token counts: ${sums.excluded} rows are excluded, ${sums.nonFinite} not finite; a trajectory needs at least one`,
    );
  const moving = [...movesOf(steps)];
  if (moving.length !== sums.deltaSse.length)
    throw new ShapeError(`The steps move ${moving.length} latents, the sums are of ${sums.deltaSse.length}`);
  const { sse, ...counts } = walkSums({ smaller, larger, steps }, sums);
  const perElement = tokens * smaller.decoder.columns;
  const mseBy = mapRules((rule) => sse[rule].map((value) => value / perElement));
  const mse = mseBy[bias];
  const deltaMse = mse.map((value, k) => (k === 0 ? 0 : value - mse[k - 1]));
  const ofSmaller = reconstructionMetrics(sums.smaller);
  const ofLarger = reconstructionMetrics(sums.larger);
  const isFull = moving.length === smaller.decoder.rows + larger.decoder.rows;
  return {
    bias,
    tokens,
    excluded: sums.excluded,
    nonFinite: sums.nonFinite,
    smaller: ofSmaller,
    larger: ofLarger,
    path: {
      ...counts,
      mse,
      deltaMse,
      varianceExplained: sse[bias].map((value) => 1 - value / sums.smaller.deviation),
      mseBy,
    },
    ends: {
      start: checkEnd(mseBy.host[0], measured.smaller ?? ofSmaller.mse),
      end: isFull ? checkEnd(mseBy.donor[steps.length], measured.larger ?? ofLarger.mse) : null,
    },
    rises: findRises(deltaMse, ROUNDING * ofSmaller.mse),
  };
}

/** Squared error under every rule for the bias, L0 and sizes, in every row. */
function walkSums({ smaller, larger, steps }: Walk, sums: TrajectorySums) {
  const rows = steps.length + 1;
  const sse = mapRules(() => new Float64Array(rows));
  const counts = {
    latents: new Int32Array(rows),
    removed: new Int32Array(rows),
    inserted: new Int32Array(rows),
  };
  const l0 = new Float64Array(rows);

  const decoders = { smaller: smaller.decoder, larger: larger.decoder };
  const biasChange = Float64Array.from(larger.decoderBias, (value, c) => value - smaller.decoderBias[c]);
  const biasChangeSquared = dot(biasChange, biasChange);
  const allLatents = smaller.decoder.rows + larger.decoder.rows;
  const scaledResidual = sums.scaledResidual.slice();
  const { scaleSquared } = sums;
  const { tokens } = sums.smaller;
  let hostSse = sums.smaller.sse;
  let firings = sums.smaller.firings.reduce((total, count) => total + count, 0);
  let removed = 0;
  let inserted = 0;

  const writeRow = (k: number) => {
    const along = dot(biasChange, scaledResidual);
    const moveBias = (share: number) =>
      hostSse - 2 * share * along + share * share * biasChangeSquared * scaleSquared;
    sse.host[k] = hostSse;
    const moved = (removed + inserted) / allLatents;
    sse.interpolate[k] = moveBias(donorShare("interpolate", k, moved));
    sse.donor[k] = moveBias(donorShare("donor", k, moved));
    // Where every token has scale 0 the bias is written nowhere, and none is better than another.
    sse.refit[k] =
      scaleSquared === 0 ? hostSse : hostSse - dot(scaledResidual, scaledResidual) / scaleSquared;
    counts.latents[k] = smaller.decoder.rows - removed + inserted;
    counts.removed[k] = removed;
    counts.inserted[k] = inserted;
    l0[k] = firings / tokens;
  };

  writeRow(0);
  let position = 0;
  steps.forEach((step, k) => {
    for (const { of, latent } of movesOf([step])) {
      hostSse += sums.deltaSse[position];
      leaveMoved(scaledResidual, sums.moved[position++], row(decoders[of], latent));
      const fired = sums[of].firings[latent];
      firings += of === "larger" ? fired : -fired;
    }
    removed += step.remove.length;
    inserted += step.insert.length;
    writeRow(k + 1);
  });
  return { sse, l0, ...counts };
}

function checkEnd(reached: number, measured: number): EndCheck {
  return { reached, measured, relativeDifference: (reached - measured) / measured };
}

function findRises(deltaMse: Float64Array, tolerance: number): Rises {
  const steps = Int32Array.from(deltaMse.keys()).filter((k) => deltaMse[k] > tolerance);
  const largestStep = steps.reduce((most, k) => (deltaMse[k] > deltaMse[most] ? k : most), 0);
  return {
    steps,
    largestStep,
    largest: deltaMse[largestStep],
    total: steps.reduce((sum, k) => sum + deltaMse[k], 0),
  };
}

function mapRules<T>(of: (rule: TrajectoryBias) => T): Record<TrajectoryBias, T> {
  return { host: of("host"), interpolate: of("interpolate"), refit: of("refit"), donor: of("donor") };
}
