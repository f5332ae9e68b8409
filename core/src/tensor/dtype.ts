import { DataError, FormatError } from "../errors.ts";

/** Element types of stored tensors, by their safetensors names, with the bytes one element takes. Little-endian. */
export const dtypeBytes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

/** An element type that can be read and written. */
export type DType = keyof typeof dtypeBytes;

/** Any array of numbers a tensor can be written from. */
export type NumericArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Whether `name` is an element type that can be read and written. */
export function isDType(name: string): name is DType {
  return Object.hasOwn(dtypeBytes, name);
}

/**
 * Decode little-endian elements to float32, rounding to nearest where float32 is narrower. F32 that is aligned to
 * 4 bytes is not copied: the result then shares the memory of `bytes`. Throws {@link FormatError} when `bytes` is not
 * a whole number of elements; `name` is what to call them in the message.
 */
export function toFloat32(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: DType,
  { name = "The data" } = {},
): Float32Array<ArrayBuffer> {
  const stored = elements(bytes, dtype, name);
  if (stored instanceof Float32Array) return stored;
  return fill(new Float32Array(stored.length), stored, dtype);
}

/** Decode little-endian elements to float64, as {@link toFloat32}; I64 and U64 beyond 2^53 are rounded. */
export function toFloat64(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: DType,
  { name = "The data" } = {},
): Float64Array<ArrayBuffer> {
  const stored = elements(bytes, dtype, name);
  if (stored instanceof Float64Array) return stored;
  return fill(new Float64Array(stored.length), stored, dtype);
}

/**
 * Decode little-endian elements to int32, as {@link toFloat32}. Throws {@link FormatError} for a value that int32
 * cannot hold, fractions included.
 */
export function toInt32(
  bytes: Uint8Array<ArrayBuffer>,
  dtype: DType,
  { name = "The data" } = {},
): Int32Array<ArrayBuffer> {
  const stored = elements(bytes, dtype, name);
  if (stored instanceof Int32Array) return stored;
  const values = new Int32Array(stored.length);
  if (stored instanceof BigInt64Array || stored instanceof BigUint64Array) {
    // By halves, many times faster than by BigInt: the upper one must only repeat the sign of the lower one.
    const halves = new Int32Array(stored.buffer, stored.byteOffset, 2 * stored.length);
    for (let i = 0; i < values.length; i++) {
      values[i] = halves[2 * i];
      const upper = halves[2 * i + 1];
      if (upper !== values[i] >> 31 || (dtype === "U64" && upper !== 0)) throw notInt32(name, i, stored[i]);
    }
    return values;
  }
  const bits = dtype === "F16" || dtype === "BF16" || dtype === "BOOL";
  const numbers = bits ? fill(new Float32Array(stored.length), stored, dtype) : stored;
  for (let i = 0; i < values.length; i++) {
    values[i] = numbers[i];
    if (values[i] !== numbers[i]) throw notInt32(name, i, numbers[i]);
  }
  return values;
}

/**
 * Encode numbers as little-endian elements. Floating types round to nearest, ties to even, beyond the largest value to
 * infinity. Throws {@link DataError} for a value that an integer type cannot hold, fractions included.
 */
export function encode(values: NumericArray, dtype: DType): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.length * dtypeBytes[dtype]);
  const stored = elements(bytes, dtype, "The data");
  if (stored instanceof Float32Array || stored instanceof Float64Array) {
    stored.set(values);
  } else if (stored instanceof BigInt64Array || stored instanceof BigUint64Array) {
    for (let i = 0; i < values.length; i++) {
      if (!Number.isInteger(values[i])) throw notHeld(dtype, i, values[i]);
      stored[i] = BigInt(values[i]);
      if (Number(stored[i]) !== values[i]) throw notHeld(dtype, i, values[i]);
    }
  } else if (dtype === "F16" || dtype === "BF16") {
    const [fractionBits, bias] = dtype === "F16" ? [10, 15] : [7, 127];
    if (values instanceof Float32Array) roundFloat32(values, stored, fractionBits, bias);
    else for (let i = 0; i < values.length; i++) stored[i] = roundToBits(values[i], fractionBits, bias);
  } else {
    for (let i = 0; i < values.length; i++) {
      stored[i] = values[i];
      if (stored[i] !== values[i] || (dtype === "BOOL" && values[i] > 1)) throw notHeld(dtype, i, values[i]);
    }
  }
  return bytes;
}

/** Turn each element of `width` bytes around in place, from big-endian to little-endian or back. */
export function reverseBytes(bytes: Uint8Array, width: number): void {
  for (let start = 0; start < bytes.length; start += width) bytes.subarray(start, start + width).reverse();
}

type Elements =
  | Uint8Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>;

/** View `bytes` as elements (F16 and BF16 as their bits), copying only when they are not aligned. */
function elements(bytes: Uint8Array<ArrayBuffer>, dtype: DType, name: string): Elements {
  const width = dtypeBytes[dtype];
  if (bytes.length % width !== 0) {
    throw new FormatError(
      `${name} has ${bytes.length} bytes, expected a multiple of ${width} for elements of type ${dtype}`,
    );
  }
  const { buffer, byteOffset } = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  const length = bytes.length / width;
  switch (dtype) {
    case "BOOL":
    case "U8":
      return new Uint8Array(buffer, byteOffset, length);
    case "I8":
      return new Int8Array(buffer, byteOffset, length);
    case "I16":
      return new Int16Array(buffer, byteOffset, length);
    case "U16":
    case "F16":
    case "BF16":
      return new Uint16Array(buffer, byteOffset, length);
    case "I32":
      return new Int32Array(buffer, byteOffset, length);
    case "U32":
      return new Uint32Array(buffer, byteOffset, length);
    case "F32":
      return new Float32Array(buffer, byteOffset, length);
    case "F64":
      return new Float64Array(buffer, byteOffset, length);
    case "I64":
      return new BigInt64Array(buffer, byteOffset, length);
    case "U64":
      return new BigUint64Array(buffer, byteOffset, length);
    default:
      throw new Error(`No such element type: ${dtype satisfies never}`);
  }
}

function fill<T extends Float32Array | Float64Array>(values: T, stored: Elements, dtype: DType): T {
  if (stored instanceof BigInt64Array || stored instanceof BigUint64Array) {
    for (let i = 0; i < values.length; i++) values[i] = Number(stored[i]);
  } else if (dtype === "F16") {
    const table = halfTable();
    for (let i = 0; i < values.length; i++) values[i] = table[stored[i]];
  } else if (dtype === "BF16") {
    // The upper half of a float32, whole blocks at a time: `values` need not be float32.
    const block = new Float32Array(Math.min(4096, values.length));
    const bits = new Uint32Array(block.buffer);
    for (let start = 0; start < values.length; start += block.length) {
      const length = Math.min(block.length, values.length - start);
      for (let i = 0; i < length; i++) bits[i] = stored[start + i] << 16;
      values.set(length === block.length ? block : block.subarray(0, length), start);
    }
  } else if (dtype === "BOOL") {
    for (let i = 0; i < values.length; i++) values[i] = stored[i] === 0 ? 0 : 1;
  } else {
    values.set(stored);
  }
  return values;
}

let halves: Float32Array | undefined;

/** The value of each of the 65 536 half-precision bit patterns (IEEE 754 binary16). */
function halfTable(): Float32Array {
  if (halves !== undefined) return halves;
  halves = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    let value = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
    if (exponent === 31) value = fraction === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
    halves[bits] = bits & 0x8000 ? -value : value;
  }
  return halves;
}

const scratch = new Float64Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** As {@link roundToBits} for every value, several times as fast for those that are normal numbers there. */
function roundFloat32(values: Float32Array, stored: Elements, fractionBits: number, bias: number): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const dropped = 23 - fractionBits;
  const belowHalf = 2 ** (dropped - 1) - 1;
  const rebias = (127 - bias) * 2 ** 23;
  const smallestNormal = rebias + 2 ** 23;
  const beyond = (128 + bias) * 2 ** 23;
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i] & 0x7fff_ffff;
    const sign = (bits[i] >>> 16) & 0x8000;
    if (magnitude >= smallestNormal && magnitude < beyond) {
      const exact = magnitude - rebias;
      // To nearest, from the middle to even; a carry out of the fraction moves into the exponent by itself.
      stored[i] = sign | ((exact + belowHalf + ((exact >>> dropped) & 1)) >>> dropped);
    } else stored[i] = magnitude === 0 ? sign : roundToBits(values[i], fractionBits, bias);
  }
}

/** The bits of the binary floating-point number nearest to `value`, with this many fraction bits and this exponent bias. */
function roundToBits(value: number, fractionBits: number, bias: number): number {
  const infinity = (2 * bias + 1) << fractionBits;
  if (Number.isNaN(value)) return infinity | (1 << (fractionBits - 1));
  scratch[0] = value;
  const sign = (scratchBits[1] >>> 31) << 15;
  const magnitude = Math.abs(value);
  if (magnitude === Number.POSITIVE_INFINITY) return sign | infinity;
  const exponent = Math.max(((scratchBits[1] >>> 20) & 2047) - 1023, 1 - bias);
  // Adding 2^52 leaves float64 no room for a fraction, so the hardware rounds to nearest even.
  const rounded = magnitude * 2 ** (fractionBits - exponent) + 2 ** 52 - 2 ** 52;
  // A carry out of the fraction moves into the exponent by itself, and below the smallest normal number both are zero.
  const bits = ((exponent + bias - 1) << fractionBits) + rounded;
  return sign | Math.min(bits, infinity);
}

function notInt32(name: string, index: number, value: number | bigint): FormatError {
  return new FormatError(
    `${name} holds ${value} at position ${index}, expected an integer that fits in 32 bits`,
  );
}

function notHeld(dtype: DType, index: number, value: number): DataError {
  return new DataError(`Cannot write ${value} at position ${index} as ${dtype}, which cannot hold it`);
}
