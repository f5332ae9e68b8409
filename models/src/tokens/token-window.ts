/** Tokens that a model reads in one context. */
export interface TokenWindow {
  /** [t] */
  readonly tokenIds: Int32Array;
  /** [t]: the document each token is of, counted from 0 through the whole text; a BOS before a document counts to it. */
  readonly documentIds: Int32Array;
  /** [t]: 1 for special tokens (BOS, EOS), whose activations must not enter any average. */
  readonly excluded: Uint8Array;
}
