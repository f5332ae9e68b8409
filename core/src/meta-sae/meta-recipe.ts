import type { TrainingOptions } from "../training/training-options.ts";
import type { TrainingData } from "../training/training-run.ts";

/** How a meta-SAE is trained, whatever the number of directions. */
export interface MetaRecipe {
  /** Meta-latents per direction; the number of meta-latents is rounded to the nearest. */
  readonly widthRatio: number;
  /** Mean number of active meta-latents per direction. */
  readonly k: number;
  readonly steps: number;
  /** Directions in a batch; all of them, where there are fewer. */
  readonly batchRows: number;
  /** Learning rate of Adam, the same at every step. */
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  /** Absent when nothing revives dead meta-latents. */
  readonly auxiliary?: {
    /** Steps without activation after which a meta-latent is dead. */
    readonly deadAfterSteps: number;
    readonly weight: number;
    readonly count: number;
  };
}

/** A {@link MetaRecipe} by name. */
export type MetaRecipeName = "leask" | "saebench";

/**
 * Published recipes.
 *
 * - `leask`: Leask et al. (arXiv 2502.04878): 2304 meta-latents for 49 152 directions, k 4, batches of 4096; the auxiliary loss and β₂ of
 *   the configuration released with it. Theirs takes 24 000 steps (2000 passes) at a rate of 10⁻⁴; this one 2400 at 10⁻³, the rate of the
 *   released configuration: a tenth of the work, minutes instead of hours for their size on a laptop.
 * - `saebench`: meta_structure of SAEBench 0.6: a quarter as many meta-latents, k 4, 1500 steps of 1024. It sets an auxiliary loss, but for
 *   latents silent for 2000 steps, so that it never acts. Rows are drawn with replacement there; here passes are shuffled, so that
 *   every row comes equally often. The expected gradient is the same and its variance no larger.
 */
export const metaRecipes: Readonly<Record<MetaRecipeName, MetaRecipe>> = {
  leask: {
    widthRatio: 2304 / 49152,
    k: 4,
    steps: 2400,
    batchRows: 4096,
    rate: 1e-3,
    beta1: 0.9,
    beta2: 0.99,
    auxiliary: { deadAfterSteps: 100, weight: 1 / 16, count: 512 },
  },
  saebench: {
    widthRatio: 1 / 4,
    k: 4,
    steps: 1500,
    batchRows: 1024,
    rate: 5e-4,
    beta1: 0.9,
    beta2: 0.999,
  },
};

/** A recipe for a certain number of directions: what the trainer takes. */
export interface MetaTraining {
  readonly options: TrainingOptions & {
    readonly architecture: { readonly kind: "batchtopk"; readonly k: number };
  };
  readonly data: Pick<TrainingData, "batchRows" | "seed" | "scaleInput" | "center">;
}

/**
 * How to train on `count` directions by `recipe`. Directions have length 1 already, so they are not scaled; the decoder bias begins at
 * their mean. The trainer refuses options that make no sense, a k as large as the number of meta-latents among them.
 */
export function metaTraining(
  recipe: MetaRecipe,
  count: number,
  {
    latents = Math.round(count * recipe.widthRatio),
    seed = 0,
  }: { readonly latents?: number; readonly seed?: number } = {},
): MetaTraining {
  const { k, steps, rate, beta1, beta2, auxiliary } = recipe;
  const batchRows = Math.min(recipe.batchRows, count);
  return {
    options: {
      architecture: { kind: "batchtopk", k },
      latents,
      seed,
      rate,
      beta1,
      beta2,
      epsilon: 1e-8,
      steps,
      warmUpSteps: 0,
      decaySteps: 0,
      deadAfterTokens: (auxiliary?.deadAfterSteps ?? steps) * batchRows,
      ...(auxiliary && { auxiliary: { weight: auxiliary.weight, count: auxiliary.count } }),
    },
    data: { batchRows, seed, scaleInput: false, center: "mean" },
  };
}
