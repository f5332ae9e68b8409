/** Gains of the controller, per step: how a weight follows changes of the L0, and how it follows what is left of the difference. */
const PROPORTIONAL = 1;
const INTEGRAL = 0.003;

/** The share of its full weight that a penalty has at a step, from 1, of a warm-up: it rises linearly. */
export function warmUpShare(step: number, warmUpSteps: number): number {
  return warmUpSteps === 0 ? 1 : Math.min(1, step / warmUpSteps);
}

/** First values of what {@link steer} keeps, for a penalty that begins at `weight`. */
export function steeringScalars(weight: number): { sparsityWeight: number; excess: number } {
  return { sparsityWeight: weight, excess: Number.MAX_VALUE };
}

/**
 * Move the weight of a sparsity penalty, in place, so that `l0`, the mean number of active latents, comes to `targetL0`: a PI controller
 * on the logarithms of both. The L0 follows the weight slowly; steering by the difference alone would overshoot many times over.
 */
export function steer(scalars: { [name: string]: number }, l0: number, targetL0: number): void {
  const excess = Math.min(1, Math.max(-1, Math.log(Math.max(l0, 1e-3) / targetL0)));
  const change = scalars.excess === Number.MAX_VALUE ? 0 : excess - scalars.excess;
  scalars.sparsityWeight *= Math.exp(PROPORTIONAL * change + INTEGRAL * excess);
  scalars.excess = excess;
}
