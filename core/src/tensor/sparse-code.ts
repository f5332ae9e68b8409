/**
 * The codes of several inputs: for each row its active latents, in ascending order, with their activations
 * (compressed sparse rows). Activations are never zero.
 */
export interface SparseCode {
  readonly rows: number;
  /** Number of latents of the SAE, active or not. */
  readonly columns: number;
  /** Length `rows + 1`; row i owns entries `offsets[i]` to `offsets[i + 1]` (exclusive). */
  readonly offsets: Int32Array;
  /** Latent of each entry, ascending within a row. */
  readonly indices: Int32Array;
  /** Activation of each entry. */
  readonly values: Float32Array;
}
