import type { Random } from "@saestitch/core";
import type { TokenWindow } from "../src/tokens/token-window.ts";
import { type LinearWeights, logProbabilities } from "./linear-model.ts";

/** Losses of one document, summed over its predictions. */
export interface PlainDocument {
  predictions: number;
  original: number;
  crossEntropy: number;
  divergence: number;
}

/**
 * Losses by document, window after window in float64: every token that is not excluded has `replace` of its activation. A
 * prediction is counted when the next token of the window is of the same document.
 */
export function plainLosses(
  weights: LinearWeights,
  windows: readonly TokenWindow[],
  replace: (activation: number[]) => readonly number[],
): Map<number, PlainDocument> {
  const documents = new Map<number, PlainDocument>();
  for (const { tokenIds, documentIds, excluded } of windows) {
    const own = Array.from(tokenIds, (token) => [...weights.embedding[token]]);
    const before = logProbabilities(weights, own);
    const after = logProbabilities(
      weights,
      own.map((h, t) => (excluded[t] ? h : replace(h))),
    );
    for (let t = 0; t < tokenIds.length - 1; t++) {
      if (documentIds[t + 1] !== documentIds[t]) continue;
      const next = tokenIds[t + 1];
      const entry = documents.get(documentIds[t]) ?? {
        predictions: 0,
        original: 0,
        crossEntropy: 0,
        divergence: 0,
      };
      entry.predictions += 1;
      entry.original -= before[t][next];
      entry.crossEntropy -= after[t][next];
      for (const [token, log] of before[t].entries())
        entry.divergence += Math.exp(log) * (log - after[t][token]);
      documents.set(documentIds[t], entry);
    }
  }
  return documents;
}

/** Σ of one column of {@link plainLosses}. */
export function plainTotal(documents: Map<number, PlainDocument>, column: keyof PlainDocument): number {
  let total = 0;
  for (const document of documents.values()) total += document[column];
  return total;
}

/** Random documents, each behind a BOS (token 0, excluded), as windows: one document each, or packed and cut wherever `length` ends. */
export function drawnWindows(
  random: Random,
  {
    documents = 12,
    longest = 15,
    length = 8,
    vocabulary = 7,
    packed = false,
  }: {
    readonly documents?: number;
    readonly longest?: number;
    readonly length?: number;
    readonly vocabulary?: number;
    readonly packed?: boolean;
  } = {},
): TokenWindow[] {
  const texts = Array.from({ length: documents }, (_, document) => {
    const tokens = Array.from({ length: Math.floor(random() * longest) }, () => ({
      token: 1 + Math.floor(random() * (vocabulary - 1)),
      document,
    }));
    return [{ token: 0, document }, ...tokens];
  });
  return (packed ? [texts.flat()] : texts).flatMap((stream) =>
    Array.from({ length: Math.ceil(stream.length / length) }, (_, w) =>
      windowOf(stream.slice(w * length, (w + 1) * length)),
    ),
  );
}

function windowOf(tokens: readonly { readonly token: number; readonly document: number }[]): TokenWindow {
  return {
    tokenIds: Int32Array.from(tokens, ({ token }) => token),
    documentIds: Int32Array.from(tokens, ({ document }) => document),
    excluded: Uint8Array.from(tokens, ({ token }) => (token === 0 ? 1 : 0)),
  };
}
