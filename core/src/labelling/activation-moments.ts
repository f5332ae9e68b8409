import type { SparseCode } from "../tensor/sparse-code.ts";

/** First and second moments of the activations of an SAE's latents; sums over two stretches of a sample merge. */
export interface ActivationMoments {
  /** [m] Σ f. */
  readonly sum: Float64Array;
  /** [m] Σ f². */
  readonly squares: Float64Array;
}

/** The moments over no tokens, of `latents` latents. */
export function emptyMoments(latents: number): ActivationMoments {
  return { sum: new Float64Array(latents), squares: new Float64Array(latents) };
}

/** Add all activations of a code, in place. */
export function addMoments(moments: ActivationMoments, { rows, offsets, indices, values }: SparseCode): void {
  for (let entry = offsets[0]; entry < offsets[rows]; entry++) {
    const activation = values[entry];
    moments.sum[indices[entry]] += activation;
    moments.squares[indices[entry]] += activation * activation;
  }
}

/** The moments over the tokens of both. */
export function mergeMoments(a: ActivationMoments, b: ActivationMoments): ActivationMoments {
  return {
    sum: a.sum.map((value, latent) => value + b.sum[latent]),
    squares: a.squares.map((value, latent) => value + b.squares[latent]),
  };
}

/**
 * Pearson correlation, over `tokens` tokens, of latent `one` of the first moments with latent `other` of the second, given the sum of
 * the products of their activations. NaN where one of them never fires or never varies.
 */
export function correlationOf(
  product: number,
  tokens: number,
  [first, one]: readonly [ActivationMoments, number],
  [second, other]: readonly [ActivationMoments, number],
): number {
  const covariance = product - (first.sum[one] * second.sum[other]) / tokens;
  const variance = ({ sum, squares }: ActivationMoments, latent: number) =>
    squares[latent] - sum[latent] ** 2 / tokens;
  return covariance / Math.sqrt(variance(first, one) * variance(second, other));
}
