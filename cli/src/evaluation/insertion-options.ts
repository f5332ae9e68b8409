import { type OptionValues, text, wholeNumbers } from "../arguments/option.ts";
import { UsageError } from "../arguments/usage-error.ts";

/** Options of inserting a set of latents into the first SAE. */
export const insertionOptions = {
  "insert-from": text(
    "SAE",
    "Measure also the first SAE with latents of this one inserted: those of --latents",
  ),
  latents: wholeNumbers("J,J,…", 0, "Latents of --insert-from to insert, all at once, separated by commas"),
} as const;

/** Which latents of which SAE are to be inserted. */
export interface InsertionRequest {
  /** Address of the SAE that the latents are of. */
  readonly from: string;
  readonly latents: readonly number[];
}

/** What the options ask to be inserted, undefined for nothing. Throws {@link UsageError} where one of the two is missing. */
export function insertionRequest({
  "insert-from": from,
  latents,
}: OptionValues<typeof insertionOptions>): InsertionRequest | undefined {
  if (from === undefined && latents === undefined) return undefined;
  if (latents === undefined)
    throw new UsageError("--insert-from needs --latents J,J,…: which ones to insert");
  if (from === undefined) throw new UsageError("--latents needs --insert-from SAE, which they are of");
  return { from, latents };
}
