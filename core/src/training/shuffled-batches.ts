import type { ActivationSource } from "../activations/activation-source.ts";
import type { BatchRange } from "../activations/batch-range.ts";
import { readAhead } from "../activations/read-ahead.ts";
import { usableRows } from "../activations/usable-rows.ts";
import { DataError, ShapeError } from "../errors.ts";
import { type Matrix, matrix, row, zeros } from "../tensor/matrix.ts";
import { recycle } from "../tensor/shared.ts";
import { planShuffle } from "./shuffle-plan.ts";

/** A place in the endless, shuffled sequence of tokens, from which it can be read on. */
export interface ShufflePosition {
  /** Passes over the sample done. */
  readonly pass: number;
  /** Window of that pass. */
  readonly window: number;
  /** Tokens of the window already taken. */
  readonly offset: number;
}

/** How a sample is shuffled. */
export interface ShuffleOptions {
  /** An integer; of the order of the tokens. */
  readonly seed: number;
  /** Rows shuffled among each other, held in memory. */
  readonly windowRows: number;
  /** Leave rows that hold NaN or infinite values out, instead of refusing them. */
  readonly skipNonFinite?: boolean;
}

/** Rows of a sample that are shuffled among each other. */
export interface ShuffledWindow {
  readonly pass: number;
  readonly window: number;
  /** [usable rows × d], in the order of the sample. Overwritten once the next window is asked for. */
  readonly rows: Matrix;
  /** [usable rows]: the order in which they are taken. */
  readonly order: Int32Array;
  /** Where the window after this one begins. */
  readonly next: ShufflePosition;
}

/** Where the sequence begins. */
export const shuffleStart: ShufflePosition = { pass: 0, window: 0, offset: 0 };

/** Values that a read asks for at most, where its segments lie side by side. */
const READ_VALUES = 2 ** 20;

/** Rows of a window whose activations of width `d` take 128 MiB, but no fewer than four batches. */
export function defaultWindowRows(d: number, batchRows: number): number {
  return Math.max(Math.floor(2 ** 25 / d), 4 * batchRows);
}

/**
 * The usable rows of a sample in an endless, seeded order, in batches of exactly `batchRows`, each with the position behind it.
 * Going on from such a position gives the same rows, bit for bit, and reads at most one window anew.
 *
 * Every pass takes each row once, in an order of its own; the order depends on the sample, the seed and `windowRows`, and
 * batches are cuts of it, across windows and passes. Excluded rows are left out. Two windows are held at most, one in use and the one
 * that is being read. A batch belongs to the caller, who may recycle it.
 *
 * Throws {@link DataError} when the sample has fewer usable rows than a batch, or a row holds NaN or infinite values and
 * `skipNonFinite` is not set; ShapeError or UnsupportedError for options out of range, or a position the sample does not have.
 */
export async function* shuffledBatches(
  source: ActivationSource,
  { batchRows, ...options }: ShuffleOptions & { readonly batchRows: number },
  from: ShufflePosition = shuffleStart,
): AsyncGenerator<{ readonly activations: Matrix; readonly next: ShufflePosition }> {
  if (!Number.isSafeInteger(batchRows) || batchRows < 1)
    throw new ShapeError(`Cannot train on batches of ${batchRows} rows: expected a positive integer`);
  if (source.rows < batchRows) throw tooFew(source, batchRows, source.rows);

  let batch: Matrix | undefined;
  let filled = 0;
  /** Usable rows of the pass so far, if it was taken from its beginning. */
  let usable = Number.NaN;
  let offset = from.offset;
  for await (const { pass, window, rows, order, next } of shuffledWindows(source, options, from)) {
    if (!Number.isSafeInteger(offset) || offset < 0 || offset > order.length)
      throw new ShapeError(
        `Cannot go on after ${offset} rows of window ${window}, pass ${pass} of ${source.location}: it has ${order.length} usable rows; the position is of another sample`,
      );
    usable = (window === 0 ? 0 : usable) + order.length;
    while (offset < order.length) {
      batch ??= zeros(batchRows, source.d);
      const end = Math.min(offset + batchRows - filled, order.length);
      for (; offset < end; offset++) row(batch, filled++).set(row(rows, order[offset]));
      if (filled < batchRows) break;
      const activations = batch;
      batch = undefined;
      filled = 0;
      yield { activations, next: offset < order.length ? { pass, window, offset } : next };
    }
    offset = 0;
    if (next.pass > pass && usable < batchRows) throw tooFew(source, batchRows, usable);
  }
}

/**
 * The windows that {@link shuffledBatches} takes its rows from, beginning with that of `from`; without end. Reads the next one while
 * the caller works on the last, and stops reading when the caller stops. A sample that fits into one window is read once and kept.
 */
export async function* shuffledWindows(
  source: ActivationSource,
  { skipNonFinite = false, ...options }: ShuffleOptions,
  from: ShufflePosition = shuffleStart,
): AsyncGenerator<ShuffledWindow> {
  const { location, d } = source;
  const plan = planShuffle(source.rows, options);
  if (
    ![from.pass, from.window].every((n) => Number.isSafeInteger(n) && n >= 0) ||
    from.window >= plan.windows
  )
    throw new ShapeError(
      `Cannot go on at window ${from.window}, pass ${from.pass} of ${location}: a pass has ${plan.windows} windows; the position is of another sample or size of windows`,
    );

  let isLeft = false;
  async function read(runs: readonly BatchRange[]): Promise<Matrix> {
    const values = spare.pop() ?? new Float32Array(plan.mostRows * d);
    const batchRows = Math.max(1, Math.floor(READ_VALUES / d));
    let rows = 0;
    for (const run of runs) {
      for await (const batch of source.batches({ ...run, batchRows })) {
        const { activations } = usableRows(batch, location, { skipNonFinite });
        values.set(activations.values, rows * d);
        rows += activations.rows;
        recycle(activations.values);
        if (activations !== batch.activations) recycle(batch.activations.values);
        if (isLeft) break;
      }
      if (isLeft) break;
    }
    return matrix(rows, d, values.subarray(0, rows * d));
  }

  /** Memory of windows done with. Kept here, not recycled: it is too large to be held on to once training has ended. */
  const spare: Float32Array[] = [];
  let whole: Promise<Matrix> | undefined;
  const readPlace = async ({ pass, window }: ShufflePosition) => {
    if (plan.windows > 1) return { pass, window, rows: await read(plan.runs(pass, window)) };
    whole ??= read(plan.runs(pass, window));
    return { pass, window, rows: await whole };
  };
  for await (const { pass, window, rows } of readAhead(places(from, plan.windows), readPlace)) {
    const order = plan.order(pass, window, rows.rows);
    try {
      yield { pass, window, rows, order, next: following({ pass, window }, plan.windows) };
    } finally {
      // A caller who stops gets no further than here; the window being read is then cut short instead of waited for.
      isLeft = true;
    }
    isLeft = false;
    if (plan.windows > 1) spare.push(new Float32Array(rows.values.buffer));
  }
}

function* places(from: ShufflePosition, windows: number): Generator<ShufflePosition> {
  for (let place = from; ; place = following(place, windows)) yield place;
}

function following(
  { pass, window }: Pick<ShufflePosition, "pass" | "window">,
  windows: number,
): ShufflePosition {
  return window + 1 < windows
    ? { pass, window: window + 1, offset: 0 }
    : { pass: pass + 1, window: 0, offset: 0 };
}

function tooFew({ location, rows }: ActivationSource, batchRows: number, usable: number): DataError {
  return new DataError(
    `${location} has ${usable} usable rows (of ${rows}), too few for one batch of ${batchRows}; train on more activations or in smaller batches`,
  );
}
