import { FormatError } from "../errors.ts";
import { type DType, dtypeBytes, isDType, toFloat32, toFloat64, toInt32 } from "../tensor/dtype.ts";
import type { ByteSource } from "./byte-source.ts";
import { describe, describeNames, parseJsonObject } from "./json.ts";
import { byteRange, countElements, describeShape, type ReadOptions } from "./shape.ts";

/** The largest header that the reference implementation reads. */
const largestHeader = 100_000_000;

/** Where one tensor of a safetensors file lies. */
export interface TensorInfo {
  /** Element type by its safetensors name; {@link isDType} tells whether it can be read. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** First byte, counted from the start of the file. */
  readonly start: number;
  /** One past the last byte, counted from the start of the file. */
  readonly end: number;
}

/** An open safetensors file: its header. Tensors are read on request, and only their bytes. */
export interface Safetensors {
  /** Name of the file, for messages. */
  readonly name: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The texts stored beside the tensors, empty when there are none. */
  readonly metadata: Readonly<Record<string, string>>;
  has(tensor: string): boolean;
  /** Throws {@link FormatError} that lists what there is when there is no such tensor. */
  info(tensor: string): TensorInfo;
  /**
   * Read a tensor, row-major, or some of its rows. Rejects with {@link FormatError} when it is missing or of an unknown
   * element type, {@link ShapeError} when it has no such rows.
   */
  readFloat32(tensor: string, options?: ReadOptions): Promise<Float32Array<ArrayBuffer>>;
  /** As `readFloat32`, in float64. */
  readFloat64(tensor: string, options?: ReadOptions): Promise<Float64Array<ArrayBuffer>>;
  /** As `readFloat32`, in int32; rejects with {@link FormatError} for a value that int32 cannot hold. */
  readInt32(tensor: string, options?: ReadOptions): Promise<Int32Array<ArrayBuffer>>;
}

/**
 * Open a safetensors file, reading its header alone. Rejects with {@link FormatError} when the header is not what the
 * format promises: tensors must fit their shapes and cover the data without overlap or hole.
 *
 * Format: https://github.com/huggingface/safetensors#format
 */
export async function openSafetensors(source: ByteSource): Promise<Safetensors> {
  const { name } = source;
  const { header, dataStart } = await readHeader(source);
  const tensors = new Map<string, TensorInfo>();
  let metadata: Readonly<Record<string, string>> = {};
  for (const [key, value] of Object.entries(header)) {
    if (key === "__metadata__") metadata = parseMetadata(value, name);
    else tensors.set(key, parseTensor(key, value, dataStart, source));
  }
  checkCoverage(tensors, dataStart, source);

  function info(tensor: string): TensorInfo {
    const found = tensors.get(tensor);
    if (found !== undefined) return found;
    throw new FormatError(
      `${name} has no tensor ${describe(tensor)}; it has ${describeNames(tensors.keys())}`,
    );
  }

  async function read<T>(
    tensor: string,
    options: ReadOptions,
    convert: (bytes: Uint8Array<ArrayBuffer>, dtype: DType, options: { name: string }) => T,
  ): Promise<T> {
    const { dtype, shape, start, end } = info(tensor);
    const label = `Tensor ${describe(tensor)} of ${name}`;
    if (!isDType(dtype)) {
      const known = Object.keys(dtypeBytes).join(", ");
      throw new FormatError(`${label} has elements of type ${describe(dtype)}, expected one of ${known}`);
    }
    const [from, to] = byteRange(options, shape, end - start, label);
    return convert(await source.read(start + from, start + to), dtype, { name: label });
  }

  return {
    name,
    tensors,
    metadata,
    has: (tensor) => tensors.has(tensor),
    info,
    readFloat32: (tensor, options = {}) => read(tensor, options, toFloat32),
    readFloat64: (tensor, options = {}) => read(tensor, options, toFloat64),
    readInt32: (tensor, options = {}) => read(tensor, options, toInt32),
  };
}

async function readHeader(
  source: ByteSource,
): Promise<{ header: Record<string, unknown>; dataStart: number }> {
  const { name, byteLength } = source;
  if (byteLength < 8) {
    throw new FormatError(
      `${name} has ${byteLength} bytes, expected a safetensors file, which begins with an 8-byte header length`,
    );
  }
  const first = await source.read(0, 8);
  const length = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  if (length > BigInt(byteLength - 8)) {
    throw new FormatError(
      `${name} states a safetensors header of ${length} bytes, but has ${byteLength - 8} bytes after the length`,
    );
  }
  if (length > BigInt(largestHeader)) {
    throw new FormatError(
      `${name} states a safetensors header of ${length} bytes, expected at most ${largestHeader}`,
    );
  }
  const dataStart = 8 + Number(length);
  const bytes = await source.read(8, dataStart);
  if (bytes[0] !== 0x7b) throw new FormatError(`The safetensors header of ${name} does not begin with {`);
  const header = parseJsonObject(bytes, `The safetensors header of ${name}`, { maxBytes: largestHeader });
  return { header, dataStart };
}

function parseMetadata(value: unknown, name: string): Readonly<Record<string, string>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FormatError(`The __metadata__ of ${name} is ${describe(value)}, expected an object of texts`);
  }
  // Without a prototype a key such as "__proto__" is a key like any other.
  const metadata: Record<string, string> = Object.create(null);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") {
      throw new FormatError(
        `The __metadata__ of ${name} holds ${describe(text)} under ${describe(key)}, expected a text`,
      );
    }
    metadata[key] = text;
  }
  return metadata;
}

function parseTensor(key: string, value: unknown, dataStart: number, source: ByteSource): TensorInfo {
  const label = `Tensor ${describe(key)} of ${source.name}`;
  if (typeof value !== "object" || value === null) {
    throw new FormatError(`${label} is described by ${describe(value)}, expected an object`);
  }
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  if (typeof dtype !== "string") {
    throw new FormatError(`${label} has the dtype ${describe(dtype)}, expected a name such as "F32"`);
  }
  if (!Array.isArray(shape)) {
    throw new FormatError(`${label} has the shape ${describe(shape)}, expected an array of sizes`);
  }
  const count = countElements(shape, label);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    throw new FormatError(
      `${label} has the data_offsets ${Array.isArray(offsets) ? describeShape(offsets) : describe(offsets)}, expected two integers from 0 to 2^53 - 1`,
    );
  }
  const [begin, end] = offsets as [number, number];
  const dataLength = source.byteLength - dataStart;
  if (begin > end || end > dataLength) {
    throw new FormatError(
      `${label} has the data_offsets ${begin} to ${end}, expected a range in the ${dataLength} bytes of data`,
    );
  }
  if (isDType(dtype) && count * dtypeBytes[dtype] !== end - begin) {
    throw new FormatError(
      `${label} has ${end - begin} bytes, expected ${count * dtypeBytes[dtype]} for ${dtype} of shape ${describeShape(shape)}`,
    );
  }
  return { dtype, shape: shape as number[], start: dataStart + begin, end: dataStart + end };
}

function checkCoverage(
  tensors: ReadonlyMap<string, TensorInfo>,
  dataStart: number,
  source: ByteSource,
): void {
  const inOrder = [...tensors].sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  let covered = dataStart;
  for (const [key, { start, end }] of inOrder) {
    if (start !== covered) {
      const fault = start < covered ? "overlaps the tensor before it" : "leaves a hole before it";
      throw new FormatError(
        `Tensor ${describe(key)} of ${source.name} ${fault}: it starts at byte ${start}, expected ${covered}`,
      );
    }
    covered = end;
  }
  if (covered !== source.byteLength) {
    throw new FormatError(
      `The tensors of ${source.name} end at byte ${covered}, expected the end of the file, ${source.byteLength}`,
    );
  }
}

function isSize(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
