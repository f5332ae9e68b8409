import type { Contributions } from "../sae/encode.ts";
import type { Sae } from "../sae/sae.ts";
import type { Matrix } from "../tensor/matrix.ts";

/** The rows of one stretch of a sample that count, and what each SAE makes of them. */
export interface CodedBatch {
  /** Row of the sample at which the stretch begins. */
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** [b × d] */
  readonly activations: Matrix;
  /** [b]; rows of one document are consecutive. Absent when the sample does not know its documents. */
  readonly documentIds?: Int32Array;
  /** One per SAE, in the order of `CodedSample.saes`. */
  readonly codes: readonly Contributions[];
  /** Rows of the stretch left out because the source marks them. */
  readonly excluded: number;
  /** Rows of the stretch left out because they hold NaN or infinite values. */
  readonly nonFinite: number;
}

/** Of each SAE the number of the one whose residual x − x̂ it reads, lower than its own; undefined where it reads activations. */
export type ResidualReading = readonly (number | undefined)[];

/**
 * CONTRACT. A sample of activations and the codes of several SAEs, each over the activations or over what one before it leaves of
 * those; each SAE encodes each row once, however often it is read.
 */
export interface CodedSample {
  /** Where the activations come from, for people and error messages. */
  readonly location: string;
  readonly d: number;
  /** Number of rows, those that do not count included. */
  readonly rows: number;
  readonly saes: readonly Sae[];
  /** Absent when all SAEs read the activations. */
  readonly residualOf?: ResidualReading;
  /** The whole sample in order, in stretches. A batch's activations belong to the caller, who may overwrite and recycle them; its codes do not. */
  batches(): AsyncIterable<CodedBatch>;
}
