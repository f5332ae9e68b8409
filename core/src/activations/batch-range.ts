import { ShapeError } from "../errors.ts";
import type { ActivationSource } from "./activation-source.ts";

/** Which rows of a sample to read, and how many at a time: the options of {@link ActivationSource.batches}. */
export type BatchOptions = NonNullable<Parameters<ActivationSource["batches"]>[0]>;

/** The rows `start` to `end` (exclusive) of one batch. */
export interface BatchRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Check the options of {@link ActivationSource.batches} and fill in what they leave out. Throws {@link ShapeError} when
 * the rows are not rows of the source or `batchRows` is not a positive integer.
 */
export function resolveBatchOptions(
  source: Pick<ActivationSource, "location" | "rows">,
  { start = 0, end = source.rows, batchRows = 2048 }: BatchOptions = {},
): Required<BatchOptions> {
  if (
    !Number.isSafeInteger(start) ||
    !Number.isSafeInteger(end) ||
    start < 0 ||
    start > end ||
    end > source.rows
  )
    throw new ShapeError(
      `Cannot read rows ${start} to ${end} of ${source.location}: it has ${source.rows} rows`,
    );
  if (!Number.isSafeInteger(batchRows) || batchRows < 1)
    throw new ShapeError(
      `Cannot read ${source.location} in batches of ${batchRows} rows: expected a positive integer`,
    );
  return { start, end, batchRows };
}

/** Cut the rows that checked options name into batches. */
export function* batchRanges({ start, end, batchRows }: Required<BatchOptions>): Generator<BatchRange> {
  for (let first = start; first < end; first += batchRows) {
    yield { start: first, end: Math.min(first + batchRows, end) };
  }
}
