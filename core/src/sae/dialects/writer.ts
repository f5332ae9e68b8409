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
   * The files of an SAE, which mean the same SAE to whoever reads them, up to float32 rounding where the layout states its numbers
   * otherwise. What the layout cannot subtract from the input is folded into the encoder biases. Every layout takes the activations
   * `relu`, `jumprelu` and `batchtopk`, whose one threshold it may state for each latent. Same SAE, same bytes; no matrix is copied but
   * for the chunk taken.
   *
   * Throws UnsupportedError for an activation or a normalisation that the layout cannot express, and says what can be done.
   */
  write(sae: Sae): readonly SaeFileToWrite[];
}
