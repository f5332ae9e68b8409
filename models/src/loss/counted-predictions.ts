import type { TokenWindow } from "../tokens/token-window.ts";

/** The predictions of a batch that count, row by row. */
export interface CountedPredictions {
  /** [p]: where each stands in the losses of the batch, row · length + position. */
  readonly entries: Int32Array;
  /** [p] */
  readonly documentIds: Int32Array;
}

/**
 * Which predictions count when `windows` are the rows of a batch of this length: the one at position t does where the same window
 * has a token t + 1 of the same document.
 *
 * So a window's last token predicts nothing, and in packed windows neither does the last token of a document: what follows it is
 * the BOS, or the first token, of another. The prediction made at a BOS counts, and so does a prediction of an EOS that belongs to
 * the document.
 */
export function countedPredictions(windows: readonly TokenWindow[], length: number): CountedPredictions {
  const entries: number[] = [];
  const documents: number[] = [];
  windows.forEach(({ documentIds }, i) => {
    for (let t = 0; t + 1 < documentIds.length; t++) {
      if (documentIds[t] !== documentIds[t + 1]) continue;
      entries.push(i * length + t);
      documents.push(documentIds[t]);
    }
  });
  return { entries: Int32Array.from(entries), documentIds: Int32Array.from(documents) };
}
