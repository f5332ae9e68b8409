/** Rows of tokens that a model reads at once, padded on the right to one length. */
export interface TokenBatch {
  readonly rows: number;
  readonly length: number;
  /** [rows × length]; padding holds 0. */
  readonly tokenIds: Int32Array;
  /** [rows]: tokens of each row before its padding. */
  readonly lengths: Int32Array;
}
