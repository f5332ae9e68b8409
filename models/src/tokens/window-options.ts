import { ShapeError, UnsupportedError } from "@saestitch/core";
import type { Tokenizer } from "./tokenizer.ts";

/** How documents become windows. */
export interface WindowOptions {
  /** The most tokens of a window, BOS counted. */
  readonly context: number;
  /** Whether each window begins with BOS. */
  readonly bos: boolean;
  /**
   * - `documents`: each document begins a window of its own.
   * - `packed`: documents one after the other, BOS between them (where windows begin with it), cut into windows of exactly `context` tokens;
   *   what does not fill the last one is dropped. Token for token what SAELens trains on (`concat_and_batch_sequences` of release 6).
   */
  readonly arrangement: "documents" | "packed";
  /** What becomes of a document's tokens beyond its first window, in the arrangement `documents`. Default: they make more windows. */
  readonly rest?: "continue" | "drop" | undefined;
  /** Tokens in all, BOS counted; the last window is cut. Default: no limit. */
  readonly limit?: number | undefined;
}

/**
 * The token that windows begin with, undefined for none. Throws {@link ShapeError} for numbers that no windows can be made with,
 * {@link UnsupportedError} where BOS is asked for and the tokenizer has none.
 */
export function checkWindowOptions(tokenizer: Tokenizer, options: WindowOptions): number | undefined {
  const { context, bos, limit } = options;
  const least = bos ? 2 : 1;
  if (!Number.isSafeInteger(context) || context < least)
    throw new ShapeError(
      `Cannot make windows of ${context} tokens: expected an integer of at least ${least}${bos ? ", BOS being one" : ""}`,
    );
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 1))
    throw new ShapeError(`Cannot make windows of ${limit} tokens in all: expected a positive integer`);
  if (!bos) return undefined;
  if (tokenizer.bos === undefined)
    throw new UnsupportedError(
      `Cannot begin windows with BOS: ${tokenizer.location} has no such token. Do without BOS`,
    );
  return tokenizer.bos;
}
