import { FormatError, ShapeError } from "../errors.ts";
import { describe } from "./json.ts";

/** Which part of a stored tensor to read. */
export interface ReadOptions {
  /** Rows (indices of the first axis) from the first to the second (exclusive); all by default. */
  readonly rows?: readonly [start: number, end: number] | undefined;
}

/**
 * The number of elements of a tensor whose shape was read from a file. Throws {@link FormatError} when a size is not a
 * non-negative integer or the product is 2^53 or more; `label` names the tensor in the message.
 */
export function countElements(shape: readonly unknown[], label: string): number {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || (size as number) < 0) {
      throw new FormatError(
        `${label} has the size ${describe(size)} in its shape, expected an integer from 0 to 2^53 - 1`,
      );
    }
    count *= size as number;
    if (!Number.isSafeInteger(count)) {
      throw new FormatError(`${label} has more than 2^53 - 1 elements by its shape ${describeShape(shape)}`);
    }
  }
  return count;
}

/** A shape as text for a message: all of it when it is short, as it always is in a file that is meant well. */
export function describeShape(shape: readonly unknown[]): string {
  return `[${shape.slice(0, 8).map(describe).join(", ")}${shape.length > 8 ? ", …" : ""}]`;
}

/**
 * The bytes of the wanted rows within the `byteLength` bytes of a row-major tensor. Throws {@link ShapeError} when the
 * tensor has no such rows; `label` names it in the message.
 */
export function byteRange(
  { rows }: ReadOptions,
  shape: readonly number[],
  byteLength: number,
  label: string,
): [start: number, end: number] {
  if (rows === undefined) return [0, byteLength];
  const [start, end] = rows;
  const count = shape[0];
  if (count === undefined) throw new ShapeError(`Cannot read rows of ${label}: it is a single number`);
  if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= count)) {
    throw new ShapeError(`Cannot read rows ${start} to ${end} of ${label}: it has ${count} rows`);
  }
  const rowBytes = count === 0 ? 0 : byteLength / count;
  return [start * rowBytes, end * rowBytes];
}
