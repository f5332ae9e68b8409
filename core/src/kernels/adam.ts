import type { AdamStep } from "./kernels.ts";

/**
 * One step of Adam on a vector, in place, as `Kernels.update` defines it: `weights`, `first`, `second` and `gradient` [length].
 * Arithmetic in float64.
 */
export function adamVector(
  weights: Float32Array,
  first: Float32Array,
  second: Float32Array,
  gradient: ArrayLike<number>,
  { rate, beta1, beta2, epsilon, step }: AdamStep,
): void {
  const unbiasFirst = 1 / (1 - beta1 ** step);
  const unbiasSecond = 1 / (1 - beta2 ** step);
  for (let k = 0; k < weights.length; k++) {
    const g = gradient[k];
    const mean = beta1 * first[k] + (1 - beta1) * g;
    const square = beta2 * second[k] + (1 - beta2) * g * g;
    first[k] = mean;
    second[k] = square;
    weights[k] -= (rate * mean * unbiasFirst) / (Math.sqrt(square * unbiasSecond) + epsilon);
  }
}
