import { ShapeError, UnsupportedError } from "../errors.ts";
import type { Sae } from "../sae/sae.ts";
import { row } from "../tensor/matrix.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import { movesOf, type Swap } from "./exchange.ts";
import type { TrajectorySums } from "./trajectory-sums.ts";

/**
 * What the decoder bias does along a trajectory.
 *
 * - `host`: it stays that of the smaller SAE, as published;
 * - `interpolate`: it goes to that of the larger SAE in proportion to the share of all latents of both that have moved;
 * - `refit`: it is the best one at every step, the first row included;
 * - `donor`: it is that of the larger SAE from the first step on.
 */
export type TrajectoryBias = (typeof trajectoryBiases)[number];

/** Every {@link TrajectoryBias}. */
export const trajectoryBiases = ["host", "interpolate", "refit", "donor"] as const;

/**
 * How far of the way from the decoder bias of the smaller SAE to that of the larger a rule has gone after some steps, `moved` being
 * the share of all latents of both that have moved.
 */
export function donorShare(rule: Exclude<TrajectoryBias, "refit">, steps: number, moved: number): number {
  switch (rule) {
    case "host":
      return 0;
    case "interpolate":
      return moved;
    case "donor":
      return steps === 0 ? 0 : 1;
    default:
      return rule satisfies never;
  }
}

/** Take what moved along a direction from Σ s·r, `moved` being its Σ s·v; see {@link TrajectorySums}. */
export function leaveMoved(scaledResidual: Float64Array, moved: number, direction: Float32Array): void {
  for (let c = 0; c < scaledResidual.length; c++) scaledResidual[c] -= moved * direction[c];
}

/** A walk from a smaller SAE towards a larger one. */
export interface Walk {
  readonly smaller: Sae;
  readonly larger: Sae;
  readonly steps: readonly Swap[];
}

/**
 * The decoder bias [d] that the stitched SAE has after the first `step` of `steps`, 0 being the smaller SAE. Only `refit` needs `sums`,
 * those of `measureTrajectory` for all the steps: it adds Σ s·r / Σ s² to the bias of the smaller SAE.
 *
 * Throws {@link UnsupportedError} for `refit` without them and {@link ShapeError} for sums over other steps.
 */
export function decoderBiasAt(
  walk: Walk,
  step: number,
  rule: TrajectoryBias,
  sums?: TrajectorySums,
): Float32Array {
  if (rule === "refit") return refitBias(walk, step, sums);
  const [host, donor] = [walk.smaller, walk.larger].map(({ decoderBias }) => decoderBias);
  const moving = [...movesOf(walk.steps.slice(0, step))].length;
  const share = donorShare(rule, step, moving / (walk.smaller.decoder.rows + walk.larger.decoder.rows));
  const bias = allocateFloat32(host.length);
  for (let c = 0; c < bias.length; c++) bias[c] = host[c] + share * (donor[c] - host[c]);
  return bias;
}

function refitBias({ smaller, larger, steps }: Walk, step: number, sums?: TrajectorySums): Float32Array {
  if (sums === undefined)
    throw new UnsupportedError(
      "Cannot re-fit the decoder bias along a trajectory without the sums that were measured of it on activations",
    );
  const moving = [...movesOf(steps)].length;
  if (moving !== sums.deltaSse.length)
    throw new ShapeError(`The steps move ${moving} latents, the sums are of ${sums.deltaSse.length}`);
  const decoders = { smaller: smaller.decoder, larger: larger.decoder };
  const scaledResidual = sums.scaledResidual.slice();
  let position = 0;
  for (const { of, latent } of movesOf(steps.slice(0, step)))
    leaveMoved(scaledResidual, sums.moved[position++], row(decoders[of], latent));
  const bias = allocateFloat32(scaledResidual.length);
  // Where every token has scale 0 the bias is written nowhere, and none is better than another.
  const { scaleSquared } = sums;
  for (let c = 0; c < bias.length; c++)
    bias[c] = smaller.decoderBias[c] + (scaleSquared === 0 ? 0 : scaledResidual[c] / scaleSquared);
  return bias;
}
