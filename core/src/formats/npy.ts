import { FormatError, UnsupportedError } from "../errors.ts";
import { type DType, dtypeBytes, reverseBytes, toFloat32, toInt32 } from "../tensor/dtype.ts";
import type { ByteSource } from "./byte-source.ts";
import { type NpyHeader, npyHeaderLength, npyPrefixLength, parseNpyHeader } from "./npy-header.ts";
import { byteRange, describeShape, type ReadOptions } from "./shape.ts";

/** An open npy file: its header. Elements are read on request, and only those wanted. */
export interface NpyArray {
  /** Name of the file, for messages. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Element type by its safetensors name. */
  readonly dtype: DType;
  /** Whether the file stores the first axis fastest. What is read is row-major all the same. */
  readonly fortranOrder: boolean;
  /**
   * Read all elements or some rows, row-major. Rejects with {@link ShapeError} when there are no such rows,
   * {@link UnsupportedError} for some rows of a matrix in Fortran order.
   */
  readFloat32(options?: ReadOptions): Promise<Float32Array<ArrayBuffer>>;
  /** As `readFloat32`, in int32; rejects with {@link FormatError} for a value that int32 cannot hold. */
  readInt32(options?: ReadOptions): Promise<Int32Array<ArrayBuffer>>;
}

/**
 * Open an npy file, reading its header alone. Rejects with {@link FormatError} when the header is malformed, does not
 * fit the length of the file, or describes anything but plain numbers (pickled objects are never read).
 */
export async function openNpy(source: ByteSource): Promise<NpyArray> {
  const { name, byteLength } = source;
  const prefix = await source.read(0, Math.min(npyPrefixLength, byteLength));
  const headerLength = npyHeaderLength(prefix, name);
  const header = parseNpyHeader(await source.read(0, Math.min(headerLength, byteLength)), name);
  checkNpyLength(header, byteLength, name);
  const { shape, dtype, fortranOrder, dataStart, dataLength } = header;

  async function read(options: ReadOptions): Promise<Uint8Array<ArrayBuffer>> {
    const [start, end] = byteRange(options, shape, dataLength, name);
    if (end - start < dataLength && isTransposed(header)) {
      throw new UnsupportedError(
        `Cannot read some rows of ${name}: it is stored in Fortran order, expected C order ` +
          "(save it again after numpy.ascontiguousarray)",
      );
    }
    return await source.read(dataStart + start, dataStart + end);
  }

  return {
    name,
    shape,
    dtype,
    fortranOrder,
    readFloat32: async (options = {}) => npyFloat32(await read(options), header, name),
    readInt32: async (options = {}) => {
      const bytes = await read(options);
      return rowMajor(toInt32(littleEndian(bytes, header), dtype, { name }), header);
    },
  };
}

/** Throw {@link FormatError} unless an npy file of this header has `byteLength` bytes. */
export function checkNpyLength(
  { dtype, shape, dataStart, dataLength }: NpyHeader,
  byteLength: number,
  name: string,
): void {
  if (dataStart + dataLength === byteLength) return;
  throw new FormatError(
    `${name} has ${byteLength - dataStart} bytes behind its npy header, expected ${dataLength} for ${dtype} of shape ${describeShape(shape)}`,
  );
}

/** Decode the bytes of whole rows of an npy file to float32, row-major. `bytes` may be changed. */
export function npyFloat32(
  bytes: Uint8Array<ArrayBuffer>,
  header: NpyHeader,
  name: string,
): Float32Array<ArrayBuffer> {
  return rowMajor(toFloat32(littleEndian(bytes, header), header.dtype, { name }), header);
}

function littleEndian(
  bytes: Uint8Array<ArrayBuffer>,
  { dtype, bigEndian }: NpyHeader,
): Uint8Array<ArrayBuffer> {
  if (bigEndian) reverseBytes(bytes, dtypeBytes[dtype]);
  return bytes;
}

/** Whether row-major and stored order differ: there are two axes along which to go. */
function isTransposed({ fortranOrder, shape, dataLength }: NpyHeader): boolean {
  return fortranOrder && dataLength > 0 && shape.filter((size) => size > 1).length > 1;
}

function rowMajor<T extends Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(
  stored: T,
  header: NpyHeader,
): T {
  if (!isTransposed(header)) return stored;
  const axes = header.shape.filter((size) => size > 1);
  const strides: number[] = [];
  let stride = 1;
  for (const size of axes) {
    strides.push(stride);
    stride *= size;
  }
  const ordered = stored.slice() as T;
  const index = axes.map(() => 0);
  let from = 0;
  for (let to = 0; to < ordered.length; to++) {
    ordered[to] = stored[from];
    // One step along the last axis, carried over to those before it.
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < axes[axis]) break;
      from -= strides[axis] * axes[axis];
      index[axis] = 0;
    }
  }
  return ordered;
}
