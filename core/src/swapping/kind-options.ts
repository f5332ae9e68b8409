import { DEFAULT_COVERAGE } from "./edge-evidence.ts";

/** Where one kind ends and another begins. */
export interface KindOptions {
  /** A copy's least cosine: 26° of turning; children of a split carry something of their own and stay below. */
  readonly copyCosine: number;
  /** A copy's least agreement: below it, latents of high cosine were found not to act alike (the cosine–causal gap). */
  readonly copyAgreement: number;
  /** Least share of a descendant's squared activation where its parent fires: the more part of it. */
  readonly share: number;
  /** Least cosine of a split child, so that it is a version of its parent rather than a companion; where families begin. */
  readonly splitCosine: number;
  /** Least share of the parent that its children cover together: most of it; what misses is what fell under a threshold. */
  readonly splitCoverage: number;
  /** Most of a split child that its siblings may share: little, or they would be variants and not parts. */
  readonly splitOverlap: number;
  /** Most of an absorbing latent's activation on which the parent's copy may fire too: little, since it should be silent. */
  readonly accompanied: number;
  /** Least share of a composed latent's squared length that each parent must add to those before it: a third of an equal sum of three. */
  readonly compositionGain: number;
}

export const defaultKindOptions: KindOptions = {
  copyCosine: 0.9,
  copyAgreement: 0.5,
  share: DEFAULT_COVERAGE,
  splitCosine: 0.7,
  splitCoverage: 0.7,
  splitOverlap: 0.3,
  accompanied: 0.3,
  compositionGain: 0.1,
};

/**
 * The least cosine that is worth a look, for directions in `d` dimensions: four standard deviations of the cosine of two random ones,
 * which one pair in thirty thousand exceeds by chance, and never below 0.2. Absorbing latents may carry little of each parent.
 */
export function leastCosine(d: number): number {
  return Math.max(0.2, 4 / Math.sqrt(d));
}
