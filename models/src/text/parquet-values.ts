import { deltaBinaryUnpack } from "hyparquet/src/delta.js";
import { readVarInt } from "hyparquet/src/thrift.js";

/** Most values of one block of differences; writers use 128. */
const largestBlock = 2 ** 16;

/** `count` byte arrays, each after its length. Throws an Error with the reason when the bytes do not hold them. */
export function* plainByteArrays(bytes: Uint8Array, count: number): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const start = at + 4;
    at = start + (start <= bytes.length ? view.getUint32(at, true) : 0);
    yield between(bytes, start, at);
  }
}

/** `count` byte arrays after all their lengths (DELTA_LENGTH_BYTE_ARRAY). Throws as {@link plainByteArrays} does. */
export function* deltaLengthByteArrays(bytes: Uint8Array, count: number): Generator<Uint8Array> {
  if (count === 0) return;
  const lengths = readDeltas(bytes, 0, count);
  let at = lengths.end;
  for (const length of lengths.numbers) {
    yield between(bytes, at, at + length);
    at += length;
  }
}

/** `count` byte arrays, each as what differs from the one before it (DELTA_BYTE_ARRAY). Throws as {@link plainByteArrays} does. */
export function* deltaByteArrays(bytes: Uint8Array, count: number): Generator<Uint8Array> {
  if (count === 0) return;
  const shared = readDeltas(bytes, 0, count);
  const lengths = readDeltas(bytes, shared.end, count);
  let at = lengths.end;
  let last = new Uint8Array(0);
  for (let i = 0; i < count; i++) {
    const begin = between(last, 0, shared.numbers[i]);
    const rest = between(bytes, at, at + lengths.numbers[i]);
    at += rest.length;
    const value = new Uint8Array(begin.length + rest.length);
    value.set(begin);
    value.set(rest, begin.length);
    yield value;
    last = value;
  }
}

/** Numbers as differences, in blocks of bit-packed ones. */
function readDeltas(bytes: Uint8Array, start: number, count: number): { numbers: Int32Array; end: number } {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: start };
  const [block, parts] = [readVarInt(reader), readVarInt(reader)];
  // With other numbers the decoder may never come to an end.
  if (!(parts >= 1 && block >= parts && block <= largestBlock && block % parts === 0))
    throw new Error(`a page has differences in blocks of ${block} in ${parts} parts`);
  reader.offset = start;
  const numbers = new Int32Array(count);
  deltaBinaryUnpack(reader, count, numbers);
  return { numbers, end: reader.offset };
}

function between(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (start <= end && end <= bytes.length) return bytes.subarray(start, end);
  throw new Error(`a page has a value at its bytes ${start} to ${end}, it has ${bytes.length}`);
}
