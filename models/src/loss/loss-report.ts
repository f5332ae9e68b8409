import { DataError } from "@saestitch/core";
import type { Ablation, LossSums, VariantName } from "./loss-sums.ts";
import { type Estimate, ratioOfSums } from "./ratio-of-sums.ts";

/** What replacing a model's activations does to its predictions; null wherever a figure is not a finite number. */
export interface VariantLoss extends VariantName {
  /** −log p(next token), in nats per prediction. Lower is better. */
  readonly crossEntropy: number | null;
  /** exp(crossEntropy). Lower is better. */
  readonly perplexity: number | null;
  /**
   * CE of the variant − CE of the unchanged model, in nats per prediction: positive where the variant is worse. Lower is better. The published
   * code of BatchTopK and its relatives has the opposite sign under this name, CE_orig − CE_recon. The standard error is that of the
   * paired difference, by document.
   */
  readonly degradation: Estimate | null;
  /** KL(unchanged model ‖ variant), in nats per prediction. Lower is better. */
  readonly divergence: Estimate | null;
  /**
   * (CE − CE_zero) / (CE_orig − CE_zero): 1 when the variant loses nothing, 0 when it is as bad as zero ablation, negative when
   * worse. Higher is better. Null without that ablation, and where ablation changes no loss.
   */
  readonly recoveredVsZero: Estimate | null;
  /** The same with mean ablation, which leaves less to recover, so that the figure is lower. */
  readonly recoveredVsMean: Estimate | null;
}

/** Losses of a model on a text, and of variants of its activations. */
export interface LossReport {
  readonly documents: number;
  /** Tokens read. */
  readonly tokens: number;
  /** Tokens that kept the model's own activation under every variant. */
  readonly excluded: number;
  /** Predictions that the averages are over. */
  readonly predictions: number;
  /** The unchanged model. */
  readonly original: Pick<VariantLoss, "crossEntropy" | "perplexity">;
  readonly variants: readonly VariantLoss[];
}

/** The figures that follow from the sums. Throws {@link DataError} when no prediction counts. */
export function lossReport(sums: LossSums): LossReport {
  const { predictions, original, tokens, excluded, variants } = sums;
  if (predictions.length === 0)
    throw new DataError(
      `No prediction counts among ${tokens} tokens; a loss needs a window with two tokens of one document`,
    );
  const recovered = (v: number, ablation: Ablation) => {
    const baseline = sums.crossEntropy[variants.findIndex((variant) => variant.ablation === ablation)];
    if (baseline === undefined) return null;
    return ratioOfSums(difference(sums.crossEntropy[v], baseline), difference(original, baseline));
  };
  return {
    documents: predictions.length,
    tokens,
    excluded,
    predictions: predictions.reduce((total, count) => total + count, 0),
    original: meanLoss(original, predictions),
    variants: variants.map((variant, v) => ({
      ...variant,
      ...meanLoss(sums.crossEntropy[v], predictions),
      degradation: ratioOfSums(difference(sums.crossEntropy[v], original), predictions),
      divergence: ratioOfSums(sums.divergence[v], predictions),
      recoveredVsZero: recovered(v, "zero"),
      recoveredVsMean: recovered(v, "mean"),
    })),
  };
}

function meanLoss(losses: Float64Array, predictions: Float64Array) {
  const mean = ratioOfSums(losses, predictions);
  if (mean === null) return { crossEntropy: null, perplexity: null };
  const perplexity = Math.exp(mean.value);
  return { crossEntropy: mean.value, perplexity: Number.isFinite(perplexity) ? perplexity : null };
}

function difference(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value - b[i]);
}
