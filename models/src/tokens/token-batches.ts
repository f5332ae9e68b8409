import { ShapeError } from "@saestitch/core";
import type { TokenBatch } from "./token-batch.ts";
import type { TokenWindow } from "./token-window.ts";

/** How windows are put into batches. The same windows and sizes always make the same batches. */
export interface BatchSizes {
  /** The most tokens of a batch, padding counted; a longer window is a batch of its own. Default 1024. */
  readonly batchTokens?: number | undefined;
  /** How many batches' worth of windows are sorted by length together. Default 32. */
  readonly lookAhead?: number | undefined;
}

/** Windows that a model reads at once. */
export interface WindowBatch {
  readonly batch: TokenBatch;
  /** The windows of its rows. */
  readonly windows: readonly TokenWindow[];
  /** Where each of them stands among all windows. */
  readonly positions: readonly number[];
}

/** A window, and where it stands among all. */
interface Placed {
  readonly window: TokenWindow;
  readonly position: number;
}

/**
 * Batches of windows of about equal length, so that little of them is padding: so many windows as fill `lookAhead` batches are taken, sorted,
 * and cut into batches before the next ones. Windows of one length stay in order.
 *
 * With `from` and `to` only the batches that hold a window between these positions (`to` exclusive) are given, each of them as it is among all.
 * Throws {@link ShapeError} for sizes that are no positive integers.
 */
export async function* tokenBatches(
  windows: AsyncIterable<TokenWindow> | Iterable<TokenWindow>,
  {
    batchTokens = 1024,
    lookAhead = 32,
    from = 0,
    to = Number.POSITIVE_INFINITY,
  }: BatchSizes & { readonly from?: number; readonly to?: number } = {},
): AsyncGenerator<WindowBatch> {
  for (const [name, size] of Object.entries({ batchTokens, lookAhead }))
    if (!Number.isSafeInteger(size) || size < 1)
      throw new ShapeError(`Cannot make batches with a ${name} of ${size}: expected a positive integer`);

  const full = lookAhead * batchTokens;
  const source = reader(windows);
  try {
    let group = await source.read([], full);
    while (group.length > 0) {
      let next: Placed[] = [];
      for (const batch of cut(group, batchTokens)) {
        if (!batch.some(({ position }) => position >= from && position < to)) continue;
        yield batchOf(batch);
        // A little at a time, so that whoever runs the batches never waits for a whole look-ahead of text.
        next = await source.read(next, Math.min(tokensOf(next) + batchTokens, full));
      }
      if (group[group.length - 1].position + 1 >= to) return;
      group = await source.read(next, full);
    }
  } finally {
    await source.close();
  }
}

/** Reads windows one after the other, into groups of so many tokens. */
function reader(windows: AsyncIterable<TokenWindow> | Iterable<TokenWindow>) {
  const iterator =
    Symbol.asyncIterator in windows ? windows[Symbol.asyncIterator]() : windows[Symbol.iterator]();
  let position = 0;
  return {
    /** The group with windows added until it has at least `wanted` tokens, or there are no more. */
    async read(group: readonly Placed[], wanted: number): Promise<Placed[]> {
      const read = [...group];
      for (let tokens = tokensOf(group); tokens < wanted; ) {
        const { done, value: window } = await iterator.next();
        if (done) break;
        read.push({ window, position: position++ });
        tokens += window.tokenIds.length;
      }
      return read;
    },
    async close() {
      await iterator.return?.();
    },
  };
}

const tokensOf = (group: readonly Placed[]) =>
  group.reduce((sum, { window }) => sum + window.tokenIds.length, 0);

/** Windows in runs of about equal length, at most `batchTokens` tokens with padding. */
function cut(group: readonly Placed[], batchTokens: number): Placed[][] {
  const sorted = group.toSorted((a, b) => a.window.tokenIds.length - b.window.tokenIds.length);
  const batches: Placed[][] = [];
  let batch: Placed[] = [];
  for (const placed of sorted) {
    if (batch.length > 0 && (batch.length + 1) * placed.window.tokenIds.length > batchTokens) {
      batches.push(batch);
      batch = [];
    }
    batch.push(placed);
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

function batchOf(placed: readonly Placed[]): WindowBatch {
  const windows = placed.map(({ window }) => window);
  const lengths = Int32Array.from(windows, ({ tokenIds }) => tokenIds.length);
  const length = Math.max(...lengths);
  const tokenIds = new Int32Array(windows.length * length);
  windows.forEach((window, i) => {
    tokenIds.set(window.tokenIds, i * length);
  });
  return {
    batch: { rows: windows.length, length, tokenIds, lengths },
    windows,
    positions: placed.map(({ position }) => position),
  };
}
