import { FormatError } from "../../errors.ts";
import type { Safetensors } from "../../formats/safetensors.ts";
import { describeShape } from "../../formats/shape.ts";
import { type Matrix, zeros } from "../../tensor/matrix.ts";
import { allocateFloat32 } from "../../tensor/shared.ts";

/** Values held at once while a matrix is read. */
const blockValues = 2 ** 21;

const weightTypes = ["F64", "F32", "F16", "BF16"];

/**
 * Throw {@link FormatError} unless the tensor exists, holds floating-point numbers and has this shape. To be asked of
 * every tensor before memory is allocated for the first.
 */
export function checkTensor(tensors: Safetensors, tensor: string, shape: readonly number[]): void {
  const { dtype, shape: found } = tensors.info(tensor);
  if (!weightTypes.includes(dtype))
    throw new FormatError(
      `${tensor} of ${tensors.name} has elements of type ${dtype}, expected one of ${weightTypes.join(", ")}`,
    );
  checkShape(tensors.name, tensor, found, shape);
}

/** Throw {@link FormatError} naming both shapes unless they are the same. */
export function checkShape(
  fileName: string,
  tensor: string,
  found: readonly number[],
  wanted: readonly number[],
): void {
  if (found.length === wanted.length && found.every((size, axis) => size === wanted[axis])) return;
  throw new FormatError(
    `${tensor} of ${fileName} has the shape ${describeShape(found)}, expected ${describeShape(wanted)}`,
  );
}

/** Read a checked tensor [rows × columns] into a matrix that threads can share, a block of rows at a time. */
export async function readMatrix(
  tensors: Safetensors,
  tensor: string,
  rows: number,
  columns: number,
): Promise<Matrix> {
  const result = zeros(rows, columns);
  for await (const { first, values } of rowBlocks(tensors, tensor, rows, columns))
    result.values.set(values, first * columns);
  return result;
}

/** Read a checked tensor [rows × columns] as its transpose [columns × rows], a block of rows at a time. */
export async function readTransposed(
  tensors: Safetensors,
  tensor: string,
  rows: number,
  columns: number,
): Promise<Matrix> {
  const result = zeros(columns, rows);
  for await (const { first, values } of rowBlocks(tensors, tensor, rows, columns))
    transposeInto(result, values, first);
  return result;
}

/** Write some rows of a matrix, `first` and those after it, into its transpose. */
export function transposeInto(result: Matrix, values: Float32Array, first: number): void {
  const count = values.length / result.rows;
  for (let j = 0; j < result.rows; j++)
    for (let i = 0; i < count; i++)
      result.values[j * result.columns + first + i] = values[i * result.rows + j];
}

/** Read a checked tensor of one axis. */
export async function readVector(tensors: Safetensors, tensor: string): Promise<Float32Array> {
  return sharedCopy(await tensors.readFloat32(tensor));
}

/** The same values where threads can share them. */
export function sharedCopy(values: Float32Array): Float32Array {
  const result = allocateFloat32(values.length);
  result.set(values);
  return result;
}

async function* rowBlocks(tensors: Safetensors, tensor: string, rows: number, columns: number) {
  const blockRows = Math.max(1, Math.floor(blockValues / columns));
  for (let first = 0; first < rows; first += blockRows) {
    const end = Math.min(rows, first + blockRows);
    yield { first, values: await tensors.readFloat32(tensor, { rows: [first, end] }) };
  }
}
