import type { LossReport, VariantLoss } from "@saestitch/models";
import type { ModelReading } from "../inputs/model-reading.ts";

/** What putting something in the place of a model's activations does to its predictions, as documents have it. */
export type LossFigures = Omit<VariantLoss, "name" | "ablation">;

/** Which model's losses, on what, and those that all others are compared with. Numbers that are not defined are null. */
export interface LossBase {
  readonly model: string;
  /** What ran it. */
  readonly engine: string;
  readonly hook: string;
  readonly text: string;
  /** Whether the SAEs read, and ablation replaces, activations less their mean over d. */
  readonly centred: boolean;
  readonly documents: number;
  /** Tokens read. */
  readonly tokens: number;
  /** Tokens that kept the model's own activation throughout. */
  readonly excluded: number;
  /** Predictions that the averages are over. */
  readonly predictions: number;
  /** The unchanged model. */
  readonly original: LossReport["original"];
  readonly zero: LossFigures;
  readonly mean: LossFigures;
}

/** What a report of `LossMeter.measure`'s sums says, in two parts: what all is compared with, and each given variant in order. */
export function lossDocument(
  { model, hook, processing, text }: ModelReading,
  { documents, tokens, excluded, predictions, original, variants }: LossReport,
): { readonly base: LossBase; readonly figures: readonly LossFigures[] } {
  const [zero, mean, ...figures] = variants.map(({ name: _, ablation: __, ...figures }) => figures);
  const base = {
    model: model.location,
    engine: model.engine,
    hook: hook.name ?? hook.tensor,
    text,
    centred: processing.centred,
    documents,
    tokens,
    excluded,
    predictions,
    original,
    zero,
    mean,
  };
  return { base, figures };
}
