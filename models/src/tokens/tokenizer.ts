/** CONTRACT. Text to tokens and back, as the model was trained to read it. */
export interface Tokenizer {
  /** The file it was read from. */
  readonly location: string;
  /** One more than the largest token id. */
  readonly vocabulary: number;
  /** The token that begins a text; absent where the tokenizer has none. */
  readonly bos?: number;
  /** The token that ends a text; absent where the tokenizer has none. */
  readonly eos?: number;
  /** Tokens that stand for no text: BOS, EOS, padding, and their kin. */
  readonly special: ReadonlySet<number>;
  /** The tokens of a text, without any special token around them. */
  encode(text: string): Int32Array;
  /** The text of several tokens, special ones shown by their names. */
  decode(tokenIds: Int32Array | readonly number[]): string;
  /** What each of several tokens adds to their text, one piece per token, so that the pieces joined are the whole (a character cut across tokens belongs to the last of them). */
  pieces(tokenIds: Int32Array | readonly number[]): string[];
}
