import type { Hook, Model, Processing, Tokenizer, TokenWindow } from "@saestitch/models";

/** A text read through a model: what the activations of a sample are made of as they are needed. */
export interface ModelReading {
  readonly model: Model;
  readonly hook: Hook;
  /** What is done to the activations before an SAE reads them. */
  readonly processing: Processing;
  readonly tokenizer: Tokenizer;
  /** The tokens of the sample, in the order of its rows. */
  readonly windows: readonly TokenWindow[];
  /** Where the text came from. */
  readonly text: string;
  /** What was taken from the SAEs' files and what was chosen by default, for people. */
  readonly remarks: readonly string[];
}
