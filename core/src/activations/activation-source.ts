import type { Matrix } from "../tensor/matrix.ts";

/** Consecutive rows of a sample of activations. */
export interface ActivationBatch {
  /** Row of the sample that is this batch's first. */
  readonly start: number;
  /** [b × d] */
  readonly activations: Matrix;
  /** [b]; rows of one document are consecutive. Absent when the sample does not know its documents. */
  readonly documentIds?: Int32Array;
  /** [b] */
  readonly tokenIds?: Int32Array;
  /** [b]; 1 for rows that must not enter any average (BOS, padding). Absent when there are none. */
  readonly excluded?: Uint8Array;
}

/** CONTRACT. A sample of activations that can be read any number of times, in order, from any row on, in bounded memory. */
export interface ActivationSource {
  /** Where the rows come from, for people and error messages. */
  readonly location: string;
  /** Width of an activation. */
  readonly d: number;
  /** Number of rows, excluded ones counted. */
  readonly rows: number;
  /**
   * The rows from `start` (default 0) to `end` (exclusive, default all) as batches of at most `batchRows` (default 2048).
   * Two calls give the same rows. A batch's arrays belong to the caller, who may overwrite and recycle them.
   */
  batches(options?: {
    readonly start?: number;
    readonly end?: number;
    readonly batchRows?: number;
  }): AsyncIterable<ActivationBatch>;
}
