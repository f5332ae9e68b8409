import { DataError } from "../errors.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import type { ActivationBatch, ActivationSource } from "./activation-source.ts";

/**
 * The token that begins every document among the first ones (BOS), where there is one: none when documents begin
 * differently, fewer than two are seen, or the source knows no documents or no tokens.
 *
 * Looks at up to `documents` documents within the first `rows` rows, by default those whose activations take 64 MiB and
 * no fewer than 4096.
 */
export async function findBosToken(
  source: ActivationSource,
  { documents = 1000, rows = Math.max(4096, Math.floor(2 ** 24 / source.d)) } = {},
): Promise<number | undefined> {
  let first: number | undefined;
  let previous: number | undefined;
  let seen = 0;
  for await (const { documentIds, tokenIds } of source.batches({ end: Math.min(rows, source.rows) })) {
    if (documentIds === undefined || tokenIds === undefined) return undefined;
    for (let i = 0; i < documentIds.length && seen < documents; i++) {
      if (documentIds[i] === previous) continue;
      previous = documentIds[i];
      first ??= tokenIds[i];
      if (tokenIds[i] !== first) return undefined;
      seen++;
    }
    if (seen === documents) break;
  }
  return seen < 2 ? undefined : first;
}

/**
 * The same sample with the rows of these tokens marked as excluded, beside those that already were. Row numbers stay.
 *
 * Reading rejects with {@link DataError} when there is a token to exclude and the source knows no tokens.
 */
export function excludeTokens(source: ActivationSource, tokenIds: readonly number[]): ActivationSource {
  const unwanted = new Set(tokenIds);
  if (unwanted.size === 0) return source;
  return {
    location: source.location,
    d: source.d,
    rows: source.rows,
    async *batches(options) {
      for await (const batch of source.batches(options)) yield excludeFrom(batch, unwanted, source.location);
    },
  };
}

function excludeFrom(
  batch: ActivationBatch,
  unwanted: ReadonlySet<number>,
  location: string,
): ActivationBatch {
  if (batch.tokenIds === undefined) {
    throw new DataError(
      `Cannot exclude token ${[...unwanted].join(", ")} from ${location}: its rows have no token ids`,
    );
  }
  let excluded = batch.excluded;
  for (let i = 0; i < batch.tokenIds.length; i++) {
    if (!unwanted.has(batch.tokenIds[i])) continue;
    excluded ??= new Uint8Array(batch.tokenIds.length);
    excluded[i] = 1;
  }
  return excluded === undefined ? batch : { ...batch, excluded };
}

/** The rows of a batch that may enter averages. */
export interface IncludedRows {
  /** [i × d] */
  readonly activations: Matrix;
  /** [i] */
  readonly documentIds?: Int32Array;
  /** [i] */
  readonly tokenIds?: Int32Array;
  /** [i]: the row of the sample each one is, ascending; absent when none was left out. */
  readonly rows: Int32Array | undefined;
  /** Number of rows left out. */
  readonly excluded: number;
}

/** Leave the excluded rows of a batch out. Copies only when there are any. */
export function includedRows(batch: ActivationBatch): IncludedRows {
  const { start, activations, documentIds, tokenIds, excluded } = batch;
  const kept: number[] = [];
  for (let i = 0; i < activations.rows; i++) if (!excluded?.[i]) kept.push(i);
  if (kept.length === activations.rows) {
    return {
      activations,
      ...(documentIds && { documentIds }),
      ...(tokenIds && { tokenIds }),
      rows: undefined,
      excluded: 0,
    };
  }
  const compact = zeros(kept.length, activations.columns);
  for (let i = 0; i < kept.length; i++) row(compact, i).set(row(activations, kept[i]));
  const pick = (ids: Int32Array) => Int32Array.from(kept, (i) => ids[i]);
  return {
    activations: compact,
    ...(documentIds && { documentIds: pick(documentIds) }),
    ...(tokenIds && { tokenIds: pick(tokenIds) }),
    rows: Int32Array.from(kept, (i) => start + i),
    excluded: activations.rows - kept.length,
  };
}

/** The rows of a matrix that hold NaN or an infinite value, ascending. */
export function nonFiniteRows({ rows, columns, values }: Matrix): Int32Array {
  const found: number[] = [];
  for (let i = 0; i < rows; i++) {
    const end = (i + 1) * columns;
    // A finite number times zero is zero, anything else NaN; one sum tells for a whole row, without a branch per value.
    let sum = 0;
    for (let j = end - columns; j < end; j++) sum += values[j] * 0;
    if (sum !== 0) found.push(i);
  }
  return Int32Array.from(found);
}
