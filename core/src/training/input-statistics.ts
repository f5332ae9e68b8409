import type { ActivationSource } from "../activations/activation-source.ts";
import { DataError, ShapeError } from "../errors.ts";
import { type Matrix, row, rowRange, zeros } from "../tensor/matrix.ts";
import { geometricMedian } from "./geometric-median.ts";
import { type ShuffleOptions, shuffledWindows } from "./shuffled-batches.ts";
import type { TrainingData } from "./training-run.ts";

/** How activations are brought to the size that training is tuned for, and where they lie. */
export interface InputStatistics {
  /** What activations are multiplied by. */
  readonly scale: number;
  /** [d], of the scaled activations. */
  readonly center: Float32Array;
}

/** Options of {@link inputStatistics}. */
export interface InputStatisticsOptions extends ShuffleOptions {
  readonly center: TrainingData["center"];
  /** Give the scale at which the mean squared length is 1, instead of 1. */
  readonly scaleInput?: boolean;
  /** Rows of the shuffled sequence that are looked at, at most. */
  readonly rows?: number;
  /** How many of them the geometric median is taken of, at most: it needs them all at once, many times over. */
  readonly medianRows?: number;
}

/**
 * Measure the first rows that training will see. Each is looked at once, so that a sample of fewer rows is measured whole.
 *
 * Throws {@link DataError} when there are no usable rows, or all are zero, {@link ShapeError} for numbers of rows that are not positive
 * integers; and as `shuffledBatches` does.
 */
export async function inputStatistics(
  source: ActivationSource,
  {
    center,
    scaleInput = true,
    rows: mostRows = 65536,
    medianRows = 4096,
    ...shuffling
  }: InputStatisticsOptions,
): Promise<InputStatistics> {
  const { location, d } = source;
  for (const count of [mostRows, medianRows])
    if (!Number.isSafeInteger(count) || count < 1)
      throw new ShapeError(`Cannot measure ${count} rows of ${location}: expected a positive integer`);
  const sums = new Float64Array(d);
  const first = zeros(Math.min(medianRows, mostRows, source.rows), d);
  let squares = 0;
  let seen = 0;
  for await (const { rows, order, next } of shuffledWindows(source, shuffling)) {
    for (const i of order.subarray(0, mostRows - seen)) {
      const x = row(rows, i);
      for (let k = 0; k < d; k++) {
        sums[k] += x[k];
        squares += x[k] * x[k];
      }
      if (seen < first.rows) row(first, seen).set(x);
      seen++;
    }
    if (seen === mostRows || next.pass > 0) break;
  }
  if (seen === 0)
    throw new DataError(`${location} has no usable rows (of ${source.rows}); at least one is needed`);
  if (squares === 0)
    throw new DataError(`${location} holds only zeros in ${seen} rows; there is nothing to learn`);

  const scale = scaleInput ? Math.sqrt(seen / squares) : 1;
  const point = centerOf(center, sums, seen, rowRange(first, 0, Math.min(seen, first.rows)));
  return { scale, center: Float32Array.from(point, (value) => value * scale) };
}

function centerOf(
  kind: TrainingData["center"],
  sums: Float64Array,
  count: number,
  first: Matrix,
): Float64Array {
  switch (kind) {
    case "geometric-median":
      return geometricMedian(first);
    case "mean":
      return sums.map((sum) => sum / count);
    case "zero":
      return new Float64Array(sums.length);
    default:
      return kind satisfies never;
  }
}
