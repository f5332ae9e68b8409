import { UnsupportedError } from "../errors.ts";
import { type DType, dtypeBytes } from "../tensor/dtype.ts";
import { npyTypes } from "./npy-header.ts";
import { type TensorToWrite, tensorBytes } from "./tensor-to-write.ts";

/** Headers are padded to whole multiples of this, so that elements are aligned. */
const alignment = 64;

/** Digits that the first axis may grow to without the header growing. */
const growthDigits = 21;

/** An npy file of known length, encoded while its chunks are taken. */
export interface NpyToWrite {
  /** Bytes of the whole file. */
  readonly byteLength: number;
  readonly chunks: Iterable<Uint8Array<ArrayBuffer>>;
}

/**
 * Encode one tensor as an npy file of version 1, byte for byte as numpy does. Throws {@link UnsupportedError} for the element
 * type BF16, which npy files do not have.
 *
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function encodeNpy(tensor: TensorToWrite): NpyToWrite {
  const header = encodeHeader(tensor);
  return {
    byteLength: header.length + tensor.values.length * dtypeBytes[tensor.dtype],
    chunks: chunks(header, tensor),
  };
}

function* chunks(header: Uint8Array<ArrayBuffer>, tensor: TensorToWrite) {
  yield header;
  yield* tensorBytes(tensor);
}

function encodeHeader({ name, dtype, shape }: TensorToWrite): Uint8Array<ArrayBuffer> {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dictionary = `{'descr': '${descriptionOf(dtype, name)}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const spare = shape.length === 0 ? 0 : growthDigits - `${shape[0]}`.length;
  const prefix = 10;
  const length = Math.ceil((prefix + dictionary.length + spare + 1) / alignment) * alignment;
  const header = new Uint8Array(length).fill(0x20);
  header.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0]);
  new DataView(header.buffer).setUint16(8, length - prefix, true);
  header.set(new TextEncoder().encode(dictionary), prefix);
  header[length - 1] = 0x0a;
  return header;
}

function descriptionOf(dtype: DType, name: string): string {
  const type = Object.keys(npyTypes).find((key) => npyTypes[key] === dtype);
  if (type === undefined)
    throw new UnsupportedError(
      `Cannot write ${JSON.stringify(name)} as an npy file: it has elements of type ${dtype}, expected one of ${Object.values(npyTypes).join(", ")}`,
    );
  return `${dtypeBytes[dtype] === 1 ? "|" : "<"}${type}`;
}
