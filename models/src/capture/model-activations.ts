import {
  type ActivationBatch,
  type ActivationSource,
  type BatchOptions,
  batchRanges,
  type Matrix,
  resolveBatchOptions,
  rowRange,
  zeros,
} from "@saestitch/core";
import type { Hook, Model } from "../model.ts";
import type { TokenWindow } from "../tokens/token-window.ts";
import { type CapturedWindow, type CaptureOptions, captureWindows } from "./capture-windows.ts";

/**
 * The activations of windows at a hook as a sample whose rows are the tokens, captured whenever batches are read: every pass runs the
 * model again. A row's document is that of its token, so a packed window has several; rows of special tokens are excluded.
 *
 * Windows must follow the order of the text. Reading rejects as {@link captureWindows}.
 */
export function modelActivations(
  model: Pick<Model, "activations" | "location">,
  hook: Hook,
  windows: readonly TokenWindow[],
  {
    location = `${hook.name ?? hook.tensor} of ${model.location}`,
    ...options
  }: Omit<CaptureOptions, "from" | "to"> & { readonly location?: string } = {},
): ActivationSource {
  const { d } = hook;
  /** Row of the sample that is each window's first, and how many rows there are. */
  const starts = [0];
  for (const { tokenIds } of windows) starts.push(starts[starts.length - 1] + tokenIds.length);
  const rows = starts[windows.length];
  return {
    location,
    d,
    rows,
    async *batches(batchOptions?: BatchOptions) {
      const resolved = resolveBatchOptions({ location, rows }, batchOptions);
      if (resolved.start === resolved.end) return;
      const from = lastAtMost(starts, resolved.start);
      const to = lastAtMost(starts, resolved.end - 1) + 1;
      const captured = captureWindows(model, hook, windows, { ...options, from, to });
      try {
        let current: CapturedWindow | undefined;
        for (const { start, end } of batchRanges(resolved)) {
          const batch = emptyBatch(start, end, d);
          for (let row = start; row < end; ) {
            while (current === undefined || row >= starts[current.position + 1])
              current = (await captured.next()).value as CapturedWindow;
            row += copyRows(batch, current, row, starts[current.position]);
          }
          yield withoutEmptyMask(batch);
        }
      } finally {
        await captured.return(undefined);
      }
    },
  };
}

/** Index of the last of ascending numbers that is at most `value`; there is one. */
function lastAtMost(ascending: readonly number[], value: number): number {
  let low = 0;
  let high = ascending.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (ascending[middle] <= value) low = middle;
    else high = middle;
  }
  return low;
}

type FullBatch = Required<ActivationBatch>;

function emptyBatch(start: number, end: number, d: number): FullBatch {
  const n = end - start;
  return {
    start,
    activations: zeros(n, d),
    documentIds: new Int32Array(n),
    tokenIds: new Int32Array(n),
    excluded: new Uint8Array(n),
  };
}

/** Copy what a window beginning at row `windowStart` has of a batch, from `row` on. Returns how many rows that are. */
function copyRows(batch: FullBatch, captured: CapturedWindow, row: number, windowStart: number): number {
  const { window, activations } = captured;
  const from = row - windowStart;
  const at = row - batch.start;
  const count = Math.min(activations.rows - from, batch.activations.rows - at);
  const values: Matrix = rowRange(activations, from, from + count);
  batch.activations.values.set(values.values, at * activations.columns);
  batch.documentIds.set(window.documentIds.subarray(from, from + count), at);
  batch.tokenIds.set(window.tokenIds.subarray(from, from + count), at);
  batch.excluded.set(window.excluded.subarray(from, from + count), at);
  return count;
}

function withoutEmptyMask({ excluded, ...batch }: FullBatch): ActivationBatch {
  return excluded.includes(1) ? { ...batch, excluded } : batch;
}
