import {
  formatCount,
  formatFixed,
  formatNumber,
  formatSeconds,
  formatShare,
} from "../terminal/format-number.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { type Column, textTable } from "../terminal/text-table.ts";
import { wrap } from "../terminal/wrap.ts";
import type { TrainDocument, TrainedRecord } from "./train-document.ts";

/** A training as text for a terminal of `width` columns. */
export function trainReport(
  document: TrainDocument,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const { activations, residualOf, saes, steps, trainedTokens, seconds, data, tokensPerSecond } = document;
  const fitted = (text: string) => wrap(text, width - 2);
  const sample = [
    activations.location,
    ...(residualOf === null ? [] : [`what ${residualOf.location} leaves unexplained of it`]),
    fitted(
      `${formatCount(trainedTokens)} tokens from ${formatCount(activations.rows)} rows, in ${formatCount(steps)} steps of ${formatCount(data.batchRows)}; ` +
        `${saes.length === 1 ? "" : "all together "}${formatSeconds(seconds)}, ${formatCount(tokensPerSecond ?? 0)} tokens/s`,
    ),
  ].join("\n");
  const legend = `As written, on ${formatCount(saes[0].tokens)} tokens of the sample. L0: active latents per token; MSE: per element; dead: latents never active there`;
  return [
    section("Training", "", sample, style),
    section("SAEs", "↓ lower is better, ↑ higher", `${table(saes)}\n${fitted(legend)}`, style),
  ].join("\n");
}

function table(saes: readonly TrainedRecord[]): string {
  const isOneSeed = new Set(saes.map(({ seed }) => seed)).size === 1;
  const columns: readonly (Column & { readonly cell: (sae: TrainedRecord) => string })[] = [
    { heading: "latents", align: "right", cell: ({ latents }) => formatCount(latents) },
    ...(isOneSeed
      ? []
      : [{ heading: "seed", align: "right" as const, cell: ({ seed }: TrainedRecord) => String(seed) }]),
    { heading: "L0", align: "right", cell: ({ l0 }) => formatNumber(l0, 4) },
    { heading: "MSE ↓", align: "right", cell: ({ mse }) => formatNumber(mse, 4) },
    {
      heading: "var. expl. ↑",
      align: "right",
      cell: ({ varianceExplained }) => formatFixed(varianceExplained, 4),
    },
    { heading: "dead ↓", align: "right", cell: ({ deadShare }) => formatShare(deadShare) },
    { heading: "", align: "left", cell: ({ path }) => path },
  ];
  return textTable(
    columns,
    saes.map((sae) => columns.map(({ cell }) => cell(sae))),
  );
}
