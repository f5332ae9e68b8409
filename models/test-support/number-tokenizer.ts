import type { Tokenizer } from "../src/tokens/tokenizer.ts";

/** A tokenizer whose texts are token ids with spaces between them. Token 0 is BOS, and special. */
export const numberTokenizer: Tokenizer = {
  location: "numbers",
  vocabulary: 1000,
  bos: 0,
  special: new Set([0]),
  encode: (text) => Int32Array.from(text.split(" ").filter(Boolean), Number),
  decode: (tokenIds) => Array.from(tokenIds).join(" "),
  pieces: (tokenIds) => Array.from(tokenIds, (id, i) => (i === 0 ? `${id}` : ` ${id}`)),
};

/** Documents of these token ids, as {@link numberTokenizer} reads them. */
export async function* numberDocuments(
  documents: Iterable<readonly number[]>,
): AsyncGenerator<string, void, void> {
  for (const tokens of documents) yield tokens.join(" ");
}
