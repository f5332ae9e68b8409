import { ShapeError } from "../errors.ts";
import { type DType, encode, type NumericArray } from "../tensor/dtype.ts";
import { describeShape } from "./shape.ts";

/** Values that are put in order only while they are written, so that they need not be in memory twice. */
export interface ValuePieces {
  /** How many values there are in all. */
  readonly length: number;
  /** All values in order, in pieces of any size. */
  pieces(): Iterable<NumericArray>;
}

/** One tensor of a file to be written. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Row-major, as many as the shape says. */
  readonly values: NumericArray | ValuePieces;
}

/** Elements that are converted at a time. */
const chunkLength = 2 ** 18;

/**
 * The elements of a tensor, little-endian, in chunks of at most 2 MiB. Taking a chunk throws DataError for a value that the
 * element type cannot hold.
 */
export function* tensorBytes({ values, dtype }: TensorToWrite): Generator<Uint8Array<ArrayBuffer>> {
  for (const piece of "pieces" in values ? values.pieces() : [values])
    for (let start = 0; start < piece.length; start += chunkLength)
      yield encode(piece.subarray(start, start + chunkLength), dtype);
}

/**
 * Throw {@link ShapeError} when values do not fill their shape or a name occurs twice; `file` is what to call the file in the
 * message.
 */
export function checkTensorsToWrite(tensors: Iterable<TensorToWrite>, file: string): void {
  const names = new Set<string>();
  for (const { name, shape, values } of tensors) {
    if (names.has(name))
      throw new ShapeError(`Cannot write two tensors named ${JSON.stringify(name)} to ${file}`);
    names.add(name);
    const count = shape.reduce((product, size) => product * size, 1);
    if (count === values.length && shape.every((size) => Number.isSafeInteger(size) && size >= 0)) continue;
    throw new ShapeError(
      `Cannot write tensor ${JSON.stringify(name)}: its shape ${describeShape(shape)} has ${count} elements, ` +
        `but there are ${values.length} values`,
    );
  }
}
