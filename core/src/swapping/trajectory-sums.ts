import { ShapeError } from "../errors.ts";
import {
  addBatch,
  emptyReconstructionSums,
  mergeReconstructionSums,
  type ReconstructionSums,
} from "../metrics/reconstruction.ts";
import type { Matrix } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";

/**
 * Everything a trajectory needs, summed over tokens. Plain data: two samples' sums, for the same steps, add up to the sums of both.
 *
 * p positions as `arrangeExchange` gives them. Per token: s is the output scale (1 for an SAE that does not normalise), r = x − x̂
 * the residual of the smaller SAE. How often what moves fires is in `smaller` and `larger`.
 */
export interface TrajectorySums {
  /** Rows left out because the source marks them. */
  excluded: number;
  /** Rows left out because they hold NaN or infinite values. */
  nonFinite: number;
  readonly smaller: ReconstructionSums;
  readonly larger: ReconstructionSums;
  /** [p] change of Σ‖r‖² when what stands at a position moves after all before it, the bias staying as it is. */
  readonly deltaSse: Float64Array;
  /** [p] Σ s·v, v what is written along the direction of the position: negative where a latent leaves. */
  readonly moved: Float64Array;
  /** Σ s². */
  scaleSquared: number;
  /** [d] Σ s·r. */
  readonly scaledResidual: Float64Array;
}

/** What {@link addMoves} adds of a batch of b tokens. */
export interface MovedBatch {
  /** [b × d] */
  readonly activations: Matrix;
  readonly smaller: { readonly code: SparseCode; readonly residual: Matrix };
  readonly larger: { readonly code: SparseCode; readonly residual: Matrix };
  /** What moves, as a code over positions, [b × p]. */
  readonly exchanged: SparseCode;
  /** What `Kernels.walk` gives for each entry of `exchanged`. */
  readonly projections: Float32Array;
  /** [b]; absent when it is 1. */
  readonly outputScale: Float32Array | undefined;
}

/** The sums of no tokens, for SAEs of width `d` and as many latents and positions as given. */
export function emptyTrajectorySums(
  d: number,
  { smaller, larger, positions }: Record<"smaller" | "larger" | "positions", number>,
): TrajectorySums {
  return {
    excluded: 0,
    nonFinite: 0,
    smaller: emptyReconstructionSums(d, smaller),
    larger: emptyReconstructionSums(d, larger),
    deltaSse: new Float64Array(positions),
    moved: new Float64Array(positions),
    scaleSquared: 0,
    scaledResidual: new Float64Array(d),
  };
}

/** Add a batch to `sums`; `normsSquared` [p] are the squared lengths of the directions. Throws ShapeError as {@link addBatch} does. */
export function addMoves(sums: TrajectorySums, normsSquared: Float64Array, batch: MovedBatch): void {
  const { activations, smaller, larger, exchanged, projections, outputScale } = batch;
  addBatch(sums.smaller, activations, smaller.residual, smaller.code);
  addBatch(sums.larger, activations, larger.residual, larger.code);
  const { deltaSse, moved, scaledResidual } = sums;
  const { offsets, indices, values } = exchanged;
  const d = scaledResidual.length;
  for (let i = 0, at = 0; i < exchanged.rows; i++) {
    const scale = outputScale === undefined ? 1 : outputScale[i];
    for (let e = offsets[i]; e < offsets[i + 1]; e++) {
      const position = indices[e];
      const v = values[e];
      deltaSse[position] += v * v * normsSquared[position] - 2 * v * projections[e];
      moved[position] += scale * v;
    }
    sums.scaleSquared += scale * scale;
    for (let c = 0; c < d; c++, at++) scaledResidual[c] += scale * smaller.residual.values[at];
  }
}

/** The sums of both samples; the arguments stay as they are. Throws {@link ShapeError} when they are not of the same SAEs and steps. */
export function mergeTrajectorySums(a: TrajectorySums, b: TrajectorySums): TrajectorySums {
  if (a.deltaSse.length !== b.deltaSse.length)
    throw new ShapeError(
      `Cannot merge sums over ${a.deltaSse.length} moves with sums over ${b.deltaSse.length}: the steps must be the same`,
    );
  const smaller = mergeReconstructionSums(a.smaller, b.smaller);
  const larger = mergeReconstructionSums(a.larger, b.larger);
  return {
    excluded: a.excluded + b.excluded,
    nonFinite: a.nonFinite + b.nonFinite,
    smaller,
    larger,
    deltaSse: a.deltaSse.map((value, p) => value + b.deltaSse[p]),
    moved: a.moved.map((value, p) => value + b.moved[p]),
    scaleSquared: a.scaleSquared + b.scaleSquared,
    scaledResidual: a.scaledResidual.map((value, c) => value + b.scaledResidual[c]),
  };
}
