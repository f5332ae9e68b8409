import { adamVector } from "../kernels/adam.ts";
import type { AdamStep, Kernels } from "../kernels/kernels.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { recycle } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { DivergenceError } from "./divergence-error.ts";
import { type Gradient, gradientOf } from "./gradient.ts";
import { learningRate } from "./learning-rate.ts";
import type { Objective } from "./objectives/objective.ts";
import type { TrainingOptions } from "./training-options.ts";
import type { StepReport } from "./training-run.ts";
import type { TrainingState } from "./training-state.ts";

/** One batch for several SAEs. */
export interface TrainingBatch {
  /** Scaled input, [b × d]. */
  readonly x: Matrix;
  /** Σ‖x − mean‖² over the batch. */
  readonly spread: number;
}

/**
 * One step of training on a batch: changes `state` in place. Throws {@link DivergenceError}, before any weight is changed, when the
 * loss is not finite.
 */
export async function step(
  state: TrainingState,
  { x, spread }: TrainingBatch,
  { objective, options, kernels }: { objective: Objective; options: TrainingOptions; kernels: Kernels },
): Promise<Omit<StepReport, "mse"> & { readonly sse: number }> {
  const gradient = await gradientOf(state, x, { objective, options, kernels });
  const number = state.step + 1;
  if (!Number.isFinite(gradient.loss))
    throw new DivergenceError(
      `Training of the SAE with ${options.latents} latents (seed ${options.seed}) diverged at step ${number}: its loss is ${gradient.loss}; ` +
        "a lower learning rate or a longer warm-up may help",
      { step: number },
    );
  const { beta1, beta2, epsilon, deadAfterTokens } = options;
  const adam = { rate: learningRate(options, number), beta1, beta2, epsilon, step: number };
  await descend(state, gradient, adam, options, kernels);
  for (const { rows } of [...gradient.encoder, ...gradient.decoder]) recycle(rows.values);

  const active = noteActive(state, gradient.code);
  state.step = number;
  const dead = state.silentTokens.reduce((count, tokens) => count + Number(tokens > deadAfterTokens), 0);
  const { sparsityWeight } = state.scalars;
  return {
    step: number,
    sse: gradient.sse,
    varianceExplained: 1 - gradient.sse / spread,
    l0: active / x.rows,
    deadShare: dead / options.latents,
    rate: adam.rate,
    loss: gradient.loss,
    ...(sparsityWeight !== undefined && { sparsityWeight }),
  };
}

async function descend(
  { parameters }: TrainingState,
  gradient: Gradient,
  adam: AdamStep,
  { frozen = [] }: TrainingOptions,
  kernels: Kernels,
): Promise<void> {
  const moving = (name: string) => !frozen.includes(name);
  const { encoder, decoder } = parameters;
  await Promise.all([
    moving("encoder") && kernels.update(encoder.weights, encoder.moments, gradient.encoder, adam),
    moving("decoder") &&
      kernels.update(decoder.weights, decoder.moments, gradient.decoder, adam, { unitRows: true }),
  ]);
  for (const [name, vector] of Object.entries(gradient.vectors)) {
    if (!moving(name)) continue;
    const { weights, moments } = parameters[name];
    adamVector(weights.values, moments.first.values, moments.second.values, vector, adam);
  }
}

/** Count the tokens since each latent was last active; returns how many activations there were. */
function noteActive({ silentTokens }: TrainingState, { rows, indices, values }: SparseCode): number {
  let active = 0;
  for (let j = 0; j < silentTokens.length; j++) silentTokens[j] += rows;
  for (let entry = 0; entry < indices.length; entry++) {
    if (values[entry] === 0) continue;
    silentTokens[indices[entry]] = 0;
    active++;
  }
  return active;
}
