import type { Estimate } from "@saestitch/models";
import { formatCount, formatFixed } from "../terminal/format-number.ts";
import { textTable } from "../terminal/text-table.ts";
import type { LossBase, LossFigures } from "./loss-document.ts";

const NATS_DECIMALS = 4;
const SHARE_DECIMALS = 3;

/** Columns of a terminal that a table of losses takes beside the names of its rows. */
export const LOSS_FIGURES_WIDTH = 52;

/** Losses row by row: the unchanged model, both ablations, and whatever else there is. */
export function lossTable(
  { original, zero, mean }: Pick<LossBase, "original" | "zero" | "mean">,
  rows: readonly { readonly name: string; readonly figures: LossFigures }[],
): string {
  return textTable(
    [
      { heading: "", align: "left" },
      { heading: "CE ↓", align: "right" },
      { heading: "ΔCE ± SE ↓", align: "right" },
      { heading: "zero ↑", align: "right" },
      { heading: "mean ↑", align: "right" },
      { heading: "KL ↓", align: "right" },
    ],
    [
      ["original", formatFixed(original.crossEntropy, NATS_DECIMALS), "", "", "", ""],
      ...[{ name: "zeros", figures: zero }, { name: "the mean", figures: mean }, ...rows].map(
        ({ name, figures }) => [
          name,
          formatFixed(figures.crossEntropy, NATS_DECIMALS),
          formatLossChange(figures.degradation),
          formatRecovered(figures.recoveredVsZero),
          formatRecovered(figures.recoveredVsMean),
          formatFixed(figures.divergence?.value ?? null, NATS_DECIMALS),
        ],
      ),
    ],
  );
}

/** A change of a loss with its standard error, in nats. */
export function formatLossChange(change: Estimate | null): string {
  if (change === null) return "–";
  const value = formatFixed(change.value, NATS_DECIMALS);
  return change.standardError === null
    ? value
    : `${value} ± ${formatFixed(change.standardError, NATS_DECIMALS)}`;
}

/** A recovered share of the cross-entropy that ablation loses. */
export function formatRecovered(share: Estimate | null): string {
  return formatFixed(share?.value ?? null, SHARE_DECIMALS);
}

/** What was run on what, which predictions count, and how every figure is defined; one paragraph per line. */
export function lossLegend({
  model,
  engine,
  hook,
  text,
  centred,
  documents,
  tokens,
  excluded,
  predictions,
}: LossBase): string[] {
  return [
    `${model} at ${hook}, on ${engine}; text: ${text}`,
    `${formatCount(predictions)} predictions counted, of ${formatCount(tokens)} tokens in ${formatCount(documents)} documents; ` +
      `not counted: what follows a context's or a document's last token. ${formatCount(excluded)} excluded tokens keep the model's own activation`,
    "CE: cross-entropy, mean of −ln p(next token), in nats per token",
    "ΔCE: CE − CE of the original, the unchanged model; SE: standard error of this paired difference, by document",
    "zero, mean: CE recovered, (CE ablated − CE) / (CE ablated − CE original); ablated: every activation is zeros, or the sample's mean. " +
      `1 loses nothing, 0 is as bad as ablation${centred ? ". Activations are centred: a token's own mean over d stays throughout" : ""}`,
    "KL: KL(original ‖ changed) of the predicted distributions, in nats per token",
  ];
}
