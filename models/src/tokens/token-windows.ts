import { DataError } from "@saestitch/core";
import type { TokenWindow } from "./token-window.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { checkWindowOptions, type WindowOptions } from "./window-options.ts";

/**
 * Documents as windows of tokens. A document that begins with BOS itself is given no second one; special tokens are marked as excluded.
 *
 * Rejects as {@link checkWindowOptions}, and with {@link DataError} when the text does not make a single window.
 */
export async function* tokenWindows(
  documents: AsyncIterable<string>,
  tokenizer: Tokenizer,
  options: WindowOptions,
): AsyncGenerator<TokenWindow> {
  const bos = checkWindowOptions(tokenizer, options);
  const { context, arrangement, rest = "continue", limit = Number.POSITIVE_INFINITY } = options;
  let tokens = 0;
  let document = -1;
  let filling: Filling = emptyWindow();

  function* close(): Generator<TokenWindow> {
    if (filling.tokenIds.length > 0) yield finish(filling, tokenizer);
    tokens += filling.tokenIds.length;
    filling = emptyWindow();
  }

  /** Put the tokens of a document into windows. */
  function* place(ids: Int32Array): Generator<TokenWindow> {
    if (arrangement === "documents") yield* close();
    for (let at = 0; at < ids.length && tokens < limit; ) {
      // The last window needs no more tokens than are left.
      const size = Math.min(context, limit - tokens);
      const begins = filling.tokenIds.length === 0 || at === 0;
      if (begins && bos !== undefined && ids[at] !== bos) push(filling, bos, document);
      while (at < ids.length && filling.tokenIds.length < size) push(filling, ids[at++], document);
      if (filling.tokenIds.length < size) return;
      yield* close();
      if (arrangement === "documents" && rest === "drop") return;
    }
  }

  for await (const text of documents) {
    document++;
    const ids = tokenizer.encode(text);
    if (ids.length > 0) yield* place(ids);
    if (tokens >= limit) return;
  }
  if (arrangement === "documents") yield* close();
  if (tokens === 0) throw nothing(document + 1, filling.tokenIds.length, context);
}

/** A window while it is filled. */
interface Filling {
  readonly tokenIds: number[];
  readonly documentIds: number[];
}

const emptyWindow = (): Filling => ({ tokenIds: [], documentIds: [] });

function push({ tokenIds, documentIds }: Filling, token: number, document: number): void {
  tokenIds.push(token);
  documentIds.push(document);
}

function finish({ tokenIds, documentIds }: Filling, { special }: Tokenizer): TokenWindow {
  return {
    tokenIds: Int32Array.from(tokenIds),
    documentIds: Int32Array.from(documentIds),
    excluded: Uint8Array.from(tokenIds, (token) => (special.has(token) ? 1 : 0)),
  };
}

function nothing(documents: number, tokens: number, context: number): DataError {
  if (tokens === 0)
    return new DataError(`The text is empty: its ${documents} documents hold not a single token`);
  return new DataError(
    `The text is too short: its ${documents} documents make ${tokens} tokens, expected at least a window of ${context}`,
  );
}
