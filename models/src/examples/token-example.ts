/** One place where a latent fires, with the tokens around it. */
export interface TokenExample {
  /** Row of the sample. */
  readonly row: number;
  /** Absent when the sample does not know its documents. */
  readonly document?: number;
  /** Which token of its document it is, counted from 0; of the sample, when that does not know its documents. */
  readonly position: number;
  /** How strongly the latent fires, in the SAE's own units. */
  readonly activation: number;
  /** [t]: tokens of the same document, this one and those around it. */
  readonly tokenIds: Int32Array;
  /** [t]: how strongly the latent fires on each; 0 where it does not, and on tokens that are left out of the sample. */
  readonly activations: Float32Array;
  /** Which of `tokenIds` it is. */
  readonly at: number;
  /** Whether the sample has more tokens of the document after these. */
  readonly continues: boolean;
}
