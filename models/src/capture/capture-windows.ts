import { type Matrix, rowRange, ShapeError } from "@saestitch/core";
import type { Hook, Model } from "../model.ts";
import { type Processing, processActivations } from "../processing.ts";
import { type BatchSizes, tokenBatches, type WindowBatch } from "../tokens/token-batches.ts";
import type { TokenWindow } from "../tokens/token-window.ts";

/** A window and its activations at a hook. */
export interface CapturedWindow {
  /** Where the window stands among all. */
  readonly position: number;
  readonly window: TokenWindow;
  /** [t × d], processed. Windows of a batch share memory: whoever keeps one keeps all. */
  readonly activations: Matrix;
}

/** What is read of a model, and how. */
export interface CaptureOptions extends BatchSizes {
  /** Default: nothing is done to the activations. */
  readonly processing?: Processing | undefined;
  /** Position of the first window that is wanted, default 0. Those before are run only where they share a batch with a wanted one. */
  readonly from?: number | undefined;
  /** Position after the last window that is wanted; default all. */
  readonly to?: number | undefined;
}

/**
 * Read the activations of windows at a hook, in the order of the windows, without padding. The same windows give the same bits, whatever
 * `from` and `to` are. What is held are the windows of `lookAhead` batches with their activations; the next batch is made, and handed
 * to the model, while the one before is still run and used.
 *
 * Rejects as {@link Model.activations}, and as {@link tokenBatches}.
 */
export async function* captureWindows(
  model: Pick<Model, "activations">,
  hook: Hook,
  windows: AsyncIterable<TokenWindow> | Iterable<TokenWindow>,
  { processing = { centred: false }, from = 0, to = Number.POSITIVE_INFINITY, ...sizes }: CaptureOptions = {},
): AsyncGenerator<CapturedWindow> {
  const batches = tokenBatches(windows, { ...sizes, from, to });
  const run = (prepared: IteratorResult<WindowBatch> | undefined): Running | undefined =>
    prepared === undefined || prepared.done
      ? undefined
      : { of: prepared.value, activations: handled(model.activations(hook, prepared.value.batch)) };
  /** Captured windows whose turn has not come. */
  const waiting = new Map<number, CapturedWindow>();
  let next = from;
  let running: Running | undefined;
  let upcoming: Running | undefined;
  let prepared: Promise<IteratorResult<WindowBatch>> | undefined;
  try {
    running = run(await batches.next());
    prepared = handled(batches.next());
    while (running !== undefined) {
      upcoming = run(await prepared);
      prepared = upcoming && handled(batches.next());
      for (const captured of split(
        running.of,
        processActivations(await running.activations, processing),
        hook,
      ))
        if (captured.position >= from && captured.position < to) waiting.set(captured.position, captured);
      running = upcoming;
      upcoming = undefined;
      for (let captured = waiting.get(next); captured !== undefined; captured = waiting.get(next)) {
        waiting.delete(next++);
        yield captured;
      }
    }
  } finally {
    // The model must not run any more when the caller goes on, for it may be closed then.
    await Promise.allSettled([prepared, running?.activations, upcoming?.activations]);
    await batches.return(undefined);
  }
}

/** A batch that the model was handed. */
interface Running {
  readonly of: WindowBatch;
  readonly activations: Promise<Matrix>;
}

/** A promise that is awaited later; should it reject before, that must not count as unhandled. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

function* split(
  { batch, windows, positions }: WindowBatch,
  activations: Matrix,
  hook: Hook,
): Generator<CapturedWindow> {
  const { rows, length, lengths } = batch;
  if (activations.rows !== rows * length || activations.columns !== hook.d)
    throw new ShapeError(
      `The model gave ${activations.rows} × ${activations.columns} activations at ${hook.tensor} for ${rows} × ${length} tokens, ` +
        `expected ${rows * length} × ${hook.d}`,
    );
  for (let i = 0; i < rows; i++)
    yield {
      position: positions[i],
      window: windows[i],
      activations: rowRange(activations, i * length, i * length + lengths[i]),
    };
}
