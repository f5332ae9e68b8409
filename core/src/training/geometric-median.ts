import { DataError } from "../errors.ts";
import type { Matrix } from "../tensor/matrix.ts";

/**
 * The point with the least sum of distances to the rows of a matrix [n × d], as [d]: Weiszfeld's iteration from the mean, with the
 * step of Vardi and Zhang (PNAS 97, 2000) where the point meets a row.
 *
 * Ends when a step is shorter than `tolerance` times the mean distance to the rows, or after `iterations`. Throws {@link DataError}
 * when there are no rows, or they hold NaN or infinite values.
 */
export function geometricMedian(
  rows: Matrix,
  { iterations = 100, tolerance = 1e-6 }: { readonly iterations?: number; readonly tolerance?: number } = {},
): Float64Array {
  const point = meanRow(rows);
  for (let iteration = 0; iteration < iterations; iteration++) {
    const { step, meanDistance } = weiszfeldStep(rows, point);
    let squares = 0;
    for (let k = 0; k < point.length; k++) {
      point[k] += step[k];
      squares += step[k] * step[k];
    }
    if (Math.sqrt(squares) <= tolerance * meanDistance) break;
  }
  return point;
}

/** Where the next iteration moves `point`, and how far the rows are from it now. */
function weiszfeldStep({ rows, columns, values }: Matrix, point: Float64Array) {
  const step = new Float64Array(columns);
  const difference = new Float64Array(columns);
  let weight = 0;
  let distances = 0;
  let met = 0;
  for (let i = 0, at = 0; i < rows; i++) {
    let squares = 0;
    for (let k = 0; k < columns; k++, at++) {
      difference[k] = values[at] - point[k];
      squares += difference[k] * difference[k];
    }
    const distance = Math.sqrt(squares);
    if (distance === 0) {
      met++;
      continue;
    }
    distances += distance;
    weight += 1 / distance;
    for (let k = 0; k < columns; k++) step[k] += difference[k] / distance;
  }
  // `step` is now the pull of the other rows, each of strength 1. The rows that were met resist with theirs.
  const pull = Math.sqrt(step.reduce((sum, value) => sum + value * value, 0));
  const share = pull > met ? (1 - met / pull) / weight : 0;
  return { step: step.map((value) => value * share), meanDistance: distances / rows };
}

function meanRow({ rows, columns, values }: Matrix): Float64Array {
  if (rows === 0) throw new DataError("Cannot find the geometric median of no rows; at least one is needed");
  const mean = new Float64Array(columns);
  for (let i = 0, at = 0; i < rows; i++) for (let k = 0; k < columns; k++, at++) mean[k] += values[at];
  for (let k = 0; k < columns; k++) mean[k] /= rows;
  if (!mean.every(Number.isFinite))
    throw new DataError(`Cannot find the geometric median of ${rows} rows that hold NaN or infinite values`);
  return mean;
}
