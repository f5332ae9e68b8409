/** A pair of directions that point the same way. */
export interface Edge {
  /** Latent of the smaller SAE. */
  readonly smaller: number;
  /** Latent of the larger SAE. */
  readonly larger: number;
  readonly cosine: number;
}

/** Latents of both SAEs that must be swapped together: a connected component of edges. Latents ascend. */
export interface Family {
  readonly smaller: readonly number[];
  readonly larger: readonly number[];
}
