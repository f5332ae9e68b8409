/**
 * Decode `count` numbers of `width` bits from Parquet's hybrid of runs of one number and bit-packed numbers, least significant bit first.
 * Throws an Error with the reason when the bytes do not hold them.
 */
export function decodeRuns(bytes: Uint8Array, width: number, count: number): Uint32Array {
  const numbers = new Uint32Array(count);
  if (width === 0) return numbers;
  if (!(width <= 32)) throw new Error(`a page has numbers of ${width} bits, expected at most 32`);
  let at = 0;
  for (let filled = 0; filled < count; ) {
    const header = readVarint(bytes, at);
    at = header.end;
    const length = Math.floor(header.value / 2);
    if (header.value % 2 === 0) {
      const end = at + Math.ceil(width / 8);
      requireBytes(bytes, end);
      numbers.fill(readBits(bytes, at, 0, width), filled, filled + length);
      at = end;
      filled += length;
    } else {
      // Packed in eights, of which the last may be cut off.
      const taken = Math.min(8 * length, count - filled);
      requireBytes(bytes, at + Math.ceil((taken * width) / 8));
      for (let i = 0; i < taken; i++) {
        const bit = i * width;
        numbers[filled + i] = readBits(bytes, at + Math.floor(bit / 8), bit % 8, width);
      }
      at += length * width;
      filled += taken;
    }
  }
  return numbers;
}

/** A number of `width` bits that begins at a bit of a byte. */
function readBits(bytes: Uint8Array, byte: number, bit: number, width: number): number {
  let value = 0;
  for (let got = 0; got < width; byte++, bit = 0) {
    const taken = Math.min(8 - bit, width - got);
    value += ((bytes[byte] >>> bit) & ((1 << taken) - 1)) * 2 ** got;
    got += taken;
  }
  return value;
}

function readVarint(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    requireBytes(bytes, at + i + 1);
    value += (bytes[at + i] & 0x7f) * 2 ** (7 * i);
    if (bytes[at + i] < 0x80) return { value, end: at + i + 1 };
  }
  throw new Error("a page has a run whose length does not end");
}

function requireBytes(bytes: Uint8Array, end: number): void {
  if (end > bytes.length)
    throw new Error(`a page has ${bytes.length} bytes of runs, expected ${end} or more`);
}
