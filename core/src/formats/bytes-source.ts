import { FormatError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";

/** A {@link ByteSource} over bytes in memory. Reads are copies. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    byteLength: bytes.length,
    async read(start, end) {
      checkRange(name, bytes.length, start, end);
      return Uint8Array.from(bytes.subarray(start, end));
    },
  };
}

/** Throw {@link FormatError} unless the bytes `start` to `end` (exclusive) lie in a file of `byteLength` bytes. */
export function checkRange(name: string, byteLength: number, start: number, end: number): void {
  if (
    Number.isSafeInteger(start) &&
    Number.isSafeInteger(end) &&
    0 <= start &&
    start <= end &&
    end <= byteLength
  )
    return;
  throw new FormatError(`Cannot read bytes ${start} to ${end} of ${name}: it has ${byteLength} bytes`);
}
