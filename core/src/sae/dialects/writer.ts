import type { Sae } from "../sae.ts";

/** One file of an SAE to be written, encoded while its chunks are taken. */
export interface SaeFileToWrite {
  /** Relative to the SAE's folder. */
  readonly name: string;
  /** To be taken once. */
  readonly chunks: Iterable<Uint8Array<ArrayBuffer>> | AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** CONTRACT. One publisher's layout, to be written. The next is one more file beside this one, named in `dialects/writers.ts`. */
export interface SaeWriter {
  readonly name: string;
  /** Names of the files that {@link write} gives. */
  readonly fileNames: readonly string[];
  /**
   * The files of an SAE whose activation is `relu` or `jumprelu` (`toThresholdForm` makes others so). What the layout cannot
   * subtract from the input is folded into the encoder biases. Same SAE, same bytes; no weight is copied but for the chunk taken.
   *
   * Throws UnsupportedError for another activation, and for a normalisation that the layout cannot express.
   */
  write(sae: Sae): readonly SaeFileToWrite[];
}
