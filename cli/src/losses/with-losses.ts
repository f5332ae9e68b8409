import { UnsupportedError } from "@saestitch/core";
import {
  type LossSums,
  type LossVariant,
  lossBatchTokens,
  meanAblation,
  measureLoss,
  type Splice,
  zeroAblation,
} from "@saestitch/models";
import type { OptionValues } from "../arguments/option.ts";
import type { ModelReading } from "../inputs/model-reading.ts";
import type { Inputs } from "../inputs/open-inputs.ts";
import type { ReadingOptions } from "../inputs/sample-options.ts";
import { InterruptedError } from "../interruption.ts";
import type { lossOptions } from "./loss-options.ts";
import { lossWindows } from "./loss-windows.ts";

/** A model cut where the activations of a sample are read, and the tokens its losses are measured on. */
export interface LossMeter {
  readonly reading: ModelReading;
  /**
   * Run the model unchanged, with zero and mean ablation, and with each variant, `mean` [d] being the mean activation of the sample.
   * The variants of the sums are the two ablations and then those given. Once only.
   */
  measure(
    variants: readonly LossVariant[],
    options: { readonly mean: Float64Array; readonly signal: AbortSignal },
  ): Promise<LossSums>;
}

/**
 * Do `work`, with a meter when the sample is read out of a model and losses are wanted. The model is cut before, so that one that cannot be
 * cut is refused before anything is measured.
 */
export async function withLosses<Result>(
  { sample, startProgress }: Inputs,
  options: ReadingOptions & OptionValues<typeof lossOptions>,
  work: (losses: LossMeter | undefined) => Promise<Result>,
): Promise<Result> {
  const { reading, excludedTokens } = sample;
  if (reading === undefined || options["no-loss"]) return work(undefined);
  const { model, hook, processing } = reading;
  const { location, vocabulary } = model;
  const windows = lossWindows(reading.windows, { excludedTokens, tokens: options["loss-tokens"] });
  const total = windows.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  const splice = await cut(reading);
  try {
    return await work({
      reading,
      async measure(variants, { mean, signal }) {
        const progress = startProgress({ label: "losses", unit: "tokens", total });
        try {
          return await measureLoss(
            { location, ...(vocabulary !== undefined && { vocabulary }), splice: async () => splice },
            hook,
            windows,
            [zeroAblation(), meanAblation(Float32Array.from(mean)), ...variants],
            {
              processing,
              batchTokens: Math.min(options["batch-tokens"], lossBatchTokens(vocabulary)),
              onTokens: progress.update,
              signal,
            },
          );
        } catch (error) {
          if (signal.aborted)
            throw new InterruptedError("Interrupted; no losses were kept", { cause: error });
          throw error;
        } finally {
          progress.end();
        }
      },
    });
  } finally {
    await splice.close();
  }
}

async function cut({ model, hook }: ModelReading): Promise<Splice> {
  try {
    return await model.splice(hook);
  } catch (error) {
    if (error instanceof UnsupportedError)
      throw new UnsupportedError(`${error.message}. With --no-loss everything but losses is measured`, {
        cause: error,
      });
    throw error;
  }
}
