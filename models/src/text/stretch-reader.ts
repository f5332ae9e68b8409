import type { ByteSource } from "@saestitch/core";

/** Bytes asked for at first; twice as many each time, up to the largest. */
const firstPiece = 2 ** 20;
const largestPiece = 2 ** 23;

/** A stretch of a file, read from its beginning to its end. */
export interface StretchReader {
  /** Bytes from the current position to the end of the stretch. */
  readonly left: number;
  /** At least the next `count` bytes, or all that are left; good until the next call. */
  peek(count: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Move on by `count` bytes that have been seen. */
  skip(count: number): void;
}

/**
 * Read the bytes `start` to `end` of a file in few, growing pieces: who stops early has not read much, who goes on asks seldom. No byte
 * outside of the stretch is read, and none twice.
 */
export function stretchReader(source: ByteSource, start: number, end: number): StretchReader {
  let held = new Uint8Array(0);
  let position = start;
  let piece = firstPiece;
  return {
    get left() {
      return end - position;
    },
    async peek(count) {
      if (held.length >= Math.min(count, end - position)) return held;
      const from = position + held.length;
      const added = await source.read(from, Math.min(end, Math.max(position + count, from + piece)));
      piece = Math.min(2 * piece, largestPiece);
      const joined = new Uint8Array(held.length + added.length);
      joined.set(held);
      joined.set(added, held.length);
      held = joined;
      return held;
    },
    skip(count) {
      held = held.subarray(count);
      position += count;
    },
  };
}
