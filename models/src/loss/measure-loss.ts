import { DataError, type Matrix, recycle, ShapeError, UnsupportedError } from "@saestitch/core";
import type { Hook, Model, PredictionLosses, SplicedBatch } from "../model.ts";
import { type Processing, processActivations, unprocessActivations } from "../processing.ts";
import { type BatchSizes, tokenBatches } from "../tokens/token-batches.ts";
import type { TokenWindow } from "../tokens/token-window.ts";
import { type CountedPredictions, countedPredictions } from "./counted-predictions.ts";
import { includedRows } from "./included-rows.ts";
import { lossBatchTokens } from "./loss-batch-tokens.ts";
import { LossAccumulator, type LossSums } from "./loss-sums.ts";
import type { LossVariant } from "./loss-variants.ts";
import { copyOf, writeRows } from "./matrix-rows.ts";

/** How a text is run through a model, by {@link measureLoss} and `meanActivation`. */
export interface LossOptions extends BatchSizes {
  /** What is done to activations before a variant reads them, and undone after it wrote. Default: nothing. */
  readonly processing?: Processing | undefined;
  /** Called after every batch with the tokens done so far, padding not counted. */
  readonly onTokens?: ((tokens: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Run `model` on a text, once unchanged and once with each variant in place of the activations at `hook`, and sum the losses up.
 *
 * Only the part of the model after the hook is run again for a variant. Tokens that a window marks as excluded (BOS and its kin)
 * keep the model's own activation under every variant. `countedPredictions` says which predictions count. Batches have at most the
 * tokens that {@link lossBatchTokens} allows, unless told otherwise.
 *
 * Rejects with {@link UnsupportedError} for two variants of one name and where the model cannot be cut, {@link ShapeError} for a
 * replacement of another shape, {@link DataError} when the unchanged model gives activations or losses that are not finite, and the
 * reason of `signal` once that is aborted. A variant's losses that are not finite make its figures null, and no other's.
 */
export async function measureLoss(
  model: Pick<Model, "location" | "vocabulary" | "splice">,
  hook: Hook,
  windows: AsyncIterable<TokenWindow> | Iterable<TokenWindow>,
  variants: readonly LossVariant[],
  {
    processing = { centred: false },
    batchTokens = lossBatchTokens(model.vocabulary),
    onTokens = () => {},
    signal,
    ...sizes
  }: LossOptions = {},
): Promise<LossSums> {
  checkNames(variants);
  const sums = new LossAccumulator(variants);
  const splice = await model.splice(hook);
  try {
    for await (const { batch, windows: rows } of tokenBatches(windows, { ...sizes, batchTokens })) {
      signal?.throwIfAborted();
      const spliced = await splice.begin(batch);
      try {
        const counted = countedPredictions(rows, batch.length);
        checkLosses(spliced.original, counted, model);
        sums.addOriginal(counted, spliced.original);
        const included = includedRows(spliced.activations, rows, batch.length, hook.name ?? hook.tensor);
        const processed = processActivations(copyOf(included.activations), processing);
        for (const [v, variant] of variants.entries()) {
          signal?.throwIfAborted();
          const replacement = await replacementOf(variant, spliced, { ...included, processed, processing });
          sums.addVariant(v, counted, await spliced.run(replacement));
          recycle(replacement.values);
        }
        const tokens = batch.lengths.reduce((total, length) => total + length, 0);
        sums.tokens += tokens;
        sums.excluded += tokens - included.rows.length;
        recycle(included.activations.values);
        recycle(processed.values);
      } finally {
        await spliced.close();
      }
      onTokens(sums.tokens);
    }
  } finally {
    await splice.close();
  }
  return sums.sums();
}

/** What stands at the hook of a whole batch under a variant: excluded tokens and padding keep what the model has there. */
async function replacementOf(
  variant: LossVariant,
  { activations: own }: SplicedBatch,
  {
    rows,
    activations,
    processed,
    processing,
  }: {
    readonly rows: Int32Array;
    readonly activations: Matrix;
    readonly processed: Matrix;
    readonly processing: Processing;
  },
): Promise<Matrix> {
  const replacement = copyOf(own);
  if (rows.length === 0) return replacement;
  const replaced = await variant.replace(processed);
  if (replaced.rows !== processed.rows || replaced.columns !== processed.columns)
    throw new ShapeError(
      `The variant ${variant.name} replaces ${processed.rows} × ${processed.columns} activations by ${replaced.rows} × ${replaced.columns}; the shape must stay`,
    );
  const written = replaced === processed ? copyOf(replaced) : replaced;
  writeRows(replacement, rows, unprocessActivations(written, activations, processing));
  recycle(written.values);
  return replacement;
}

function checkNames(variants: readonly LossVariant[]): void {
  const names = variants.map(({ name }) => name);
  const twice = names.find((name, v) => names.indexOf(name) !== v);
  if (twice !== undefined)
    throw new UnsupportedError(`Two variants are called ${twice}; each needs a name of its own`);
  for (const ablation of ["zero", "mean"] as const)
    if (variants.filter((variant) => variant.ablation === ablation).length > 1)
      throw new UnsupportedError(
        `There are two variants with ${ablation} ablation; losses are compared with one`,
      );
}

function checkLosses(
  { crossEntropy }: PredictionLosses,
  { entries, documentIds }: CountedPredictions,
  { location }: Pick<Model, "location">,
): void {
  const broken = entries.findIndex((entry) => !Number.isFinite(crossEntropy[entry]));
  if (broken >= 0)
    throw new DataError(
      `${location} gives a loss of ${crossEntropy[entries[broken]]} on a token of document ${documentIds[broken]}; losses must be finite`,
    );
}
