import { type ExampleCounts, type LatentExamples, LatentRecord } from "./latent-record.ts";
import { type ExampleBatch, RowWindow } from "./row-window.ts";

/** Which examples are wanted. */
export interface ExampleOptions extends Partial<ExampleCounts> {
  /** Tokens shown before and after each place, of its document at most. Default 12. */
  readonly around?: number;
}

/** Examples of several latents, and how many tokens they are from. */
export interface CollectedExamples {
  /** Rows that count. */
  readonly tokens: number;
  /** In the order of the columns. */
  readonly latents: readonly LatentExamples[];
}

/**
 * Find where the latents of some columns of the code fire, in one pass over the rows of a sample. The memory it takes depends on how much is
 * kept and on the size of the vocabulary, not on the number of rows; the result does not depend on how the rows fall into batches.
 *
 * By default it keeps the `top` 5 places, none at quantiles, and 5 tokens.
 */
export async function collectExamples(
  batches: AsyncIterable<ExampleBatch>,
  columns: readonly number[],
  { around = 12, top = 5, quantiles = 0, tokens: shownTokens = 5 }: ExampleOptions = {},
): Promise<CollectedExamples> {
  const window = new RowWindow(columns, around);
  const records = columns.map(() => new LatentRecord({ top, quantiles, tokens: shownTokens }));
  const occurrences = new Map<number, number>();
  let tokens = 0;
  let next = 0;
  let document: { readonly id: number; readonly first: number } | undefined;

  function take(end: number): void {
    for (; next < end; next++) {
      const row = next;
      const id = window.documentAt(row);
      if (id !== document?.id) {
        for (const record of records) record.endDocument();
        document = { id, first: row };
      }
      if (!window.countsAt(row)) continue;
      const position = row - document.first;
      const token = window.tokenAt(row);
      tokens++;
      occurrences.set(token, (occurrences.get(token) ?? 0) + 1);
      window.forEachActive(row, (column, activation) =>
        records[column].add(token, activation, () => window.example(row, column, position)),
      );
    }
  }

  for await (const batch of batches) {
    window.add(batch, next);
    take(window.end - window.lookAhead);
  }
  take(window.end);
  return { tokens, latents: records.map((record) => record.finish(occurrences)) };
}
