import type { BatchRange } from "../activations/batch-range.ts";
import { ShapeError, UnsupportedError } from "../errors.ts";
import { seededRandom, shuffle } from "../linalg/random.ts";

/** Which rows of a sample are shuffled among each other, and in which order they come out: pure functions of the pass and window. */
export interface ShufflePlan {
  /** Windows that make up a pass over the sample; at least one. */
  readonly windows: number;
  /** Rows of the largest window. */
  readonly mostRows: number;
  /** The rows of a window, ascending; neighbours are joined. */
  runs(pass: number, window: number): BatchRange[];
  /** The order in which `count` rows of a window are taken. */
  order(pass: number, window: number, count: number): Int32Array;
}

/**
 * Rows that stay together until their window is in memory. A file gives that many in one read of some hundred KiB, about as cheap per
 * byte as a longer one; and they are no more than a document or two, of which a window holds many.
 */
const SEGMENT_ROWS = 256;
/** Places of the sample that a window mixes, at least; a small window has shorter segments instead of fewer. */
const SEGMENTS_PER_WINDOW = 64;

/**
 * Cut `rows` rows into segments of consecutive rows. Every pass puts the segments in another order, and a window is the next
 * `windowRows` rows' worth of them; all windows of a pass hold about as many, so that none mixes less than the others.
 *
 * Throws {@link ShapeError} for a `windowRows` and {@link UnsupportedError} for a `seed` that is not such an integer.
 */
export function planShuffle(
  rows: number,
  { seed, windowRows }: { readonly seed: number; readonly windowRows: number },
): ShufflePlan {
  if (!Number.isSafeInteger(windowRows) || windowRows < 1)
    throw new ShapeError(`Cannot shuffle windows of ${windowRows} rows: expected a positive integer`);
  if (!Number.isSafeInteger(seed))
    throw new UnsupportedError(`Cannot shuffle by the seed ${seed}: expected an integer`);
  const segmentRows = Math.max(1, Math.min(SEGMENT_ROWS, Math.floor(windowRows / SEGMENTS_PER_WINDOW)));
  const segments = Math.ceil(rows / segmentRows);
  const most = Math.floor(windowRows / segmentRows);
  const windows = Math.max(1, Math.ceil(segments / most));
  const firstSegment = (window: number) => Math.floor((window * segments) / windows);

  let current: { readonly pass: number; readonly segments: Int32Array } | undefined;
  const segmentsOf = (pass: number) => {
    if (current?.pass !== pass)
      current = { pass, segments: shuffle(ascending(segments), seededRandom(deriveSeed(seed, pass))) };
    return current.segments;
  };

  return {
    windows,
    mostRows: Math.min(most * segmentRows, rows),
    runs(pass, window) {
      const chosen = segmentsOf(pass)
        .slice(firstSegment(window), firstSegment(window + 1))
        .sort();
      const runs: { start: number; end: number }[] = [];
      for (const segment of chosen) {
        const start = segment * segmentRows;
        const end = Math.min(start + segmentRows, rows);
        const last = runs.at(-1);
        if (last?.end === start) last.end = end;
        else runs.push({ start, end });
      }
      return runs;
    },
    order: (pass, window, count) =>
      shuffle(ascending(count), seededRandom(deriveSeed(deriveSeed(seed, pass), window))),
  };
}

function ascending(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}

/** A seed of the step's own: generators of neighbouring seeds and steps must not share their numbers. */
function deriveSeed(seed: number, step: number): number {
  return seededRandom(seed ^ Math.imul(step + 1, 0x9e3779b1))() * 2 ** 32;
}
