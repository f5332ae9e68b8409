import type { Kernels, Trajectory, TrajectorySums, Walk } from "@saestitch/core";
import { exchangeVariants, lossReport, saeVariant } from "@saestitch/models";
import { type LossBase, type LossFigures, lossDocument } from "../losses/loss-document.ts";
import type { LossMeter } from "../losses/with-losses.ts";

/** What a model loses with the stitched SAE in the place of its activations, after some steps of a trajectory. */
export interface TrajectoryLosses extends LossBase {
  /** The larger SAE by itself. */
  readonly larger: LossFigures;
  /** Ascending. */
  readonly steps: readonly TrajectoryLoss[];
}

/** The row of the path after a step, and the loss there. */
export interface TrajectoryLoss extends LossFigures {
  readonly step: number;
  readonly latents: number;
  readonly l0: number;
  readonly mse: number;
}

/** Measure the losses after the steps `at` of a walk that `sums` and `trajectory` are of, the mean of the ablation being that of the sample. */
export async function measureTrajectoryLosses(
  { reading, measure }: LossMeter,
  {
    walk,
    sums,
    trajectory,
  }: {
    readonly walk: Walk;
    readonly sums: TrajectorySums;
    readonly trajectory: Trajectory;
  },
  at: readonly number[],
  { kernels, signal }: { readonly kernels: Kernels; readonly signal: AbortSignal },
): Promise<TrajectoryLosses> {
  const { bias, path } = trajectory;
  const variants = [
    saeVariant("larger", walk.larger, kernels),
    ...exchangeVariants(walk, at, kernels, { bias, sums }),
  ];
  const measured = await measure(variants, { mean: sums.smaller.mean, signal });
  const {
    base,
    figures: [larger, ...steps],
  } = lossDocument(reading, lossReport(measured));
  return {
    ...base,
    larger,
    steps: at.map((step, i) => ({
      step,
      latents: path.latents[step],
      l0: path.l0[step],
      mse: path.mse[step],
      ...steps[i],
    })),
  };
}
