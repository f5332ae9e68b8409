import type { AdamStep } from "./kernels.ts";

/** What `adam_step` of kernels/src/kernels.c takes for one step of Adam. */
export interface AdamFactors {
  readonly keepFirst: number;
  readonly takeFirst: number;
  readonly keepSecond: number;
  readonly takeSecond: number;
  /** The rate, over 1 − β₁ᵗ. */
  readonly rate: number;
  /** Of the square root of the second moment: √(1 / (1 − β₂ᵗ)). */
  readonly scale: number;
  readonly epsilon: number;
}

/** The factors of {@link AdamStep}; every engine rounds them to float32. */
export function adamFactors({ rate, beta1, beta2, epsilon, step }: AdamStep): AdamFactors {
  return {
    keepFirst: beta1,
    takeFirst: 1 - beta1,
    keepSecond: beta2,
    takeSecond: 1 - beta2,
    rate: rate / (1 - beta1 ** step),
    scale: Math.sqrt(1 / (1 - beta2 ** step)),
    epsilon,
  };
}
