import { formatCount, formatFixed, formatNumber, formatShare } from "../terminal/format-number.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { textTable } from "../terminal/text-table.ts";
import { wrap } from "../terminal/wrap.ts";
import type { EvaluationDocument } from "./evaluation-document.ts";

/** An evaluation as text for a terminal of `width` columns. */
export function evaluationReport(
  document: EvaluationDocument,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const { activations, tokens, excluded, nonFinite, saes, varianceFormula } = document;
  const fitted = (text: string) => wrap(text, width - 2);
  const sample = [
    activations.location,
    `${formatCount(tokens)} tokens; left out: ${formatCount(excluded.rows)} rows of excluded tokens, ${formatCount(nonFinite)} rows with NaN or infinite values`,
  ].join("\n");
  const longest = Math.max(12, width - 62);
  const table = textTable(
    [
      { heading: "", align: "left" },
      { heading: "latents", align: "right" },
      { heading: "L0", align: "right" },
      { heading: "MSE ↓", align: "right" },
      { heading: "var. expl. ↑", align: "right" },
      { heading: "dead ↓", align: "right" },
      { heading: "", align: "left" },
    ],
    saes.map(({ location, latents, l0, mse, varianceExplained, deadShare, undominated }) => [
      location.length > longest ? `…${location.slice(1 - longest)}` : location,
      formatCount(latents),
      formatNumber(l0, 4),
      formatNumber(mse, 4),
      formatFixed(varianceExplained, 4),
      formatShare(deadShare),
      undominated ? "*" : "",
    ]),
  );
  const legend = [
    "L0: active latents per token; MSE: per element, mean over tokens; variance explained by the " +
      `formula "${varianceFormula}"`,
    "* no other has fewer or as many latents, L0 and MSE at once",
  ];
  return [
    section("Sample", "", fitted(sample), style),
    section("SAEs", "↓ lower is better, ↑ higher", [table, ...legend.map(fitted)].join("\n"), style),
  ].join("\n");
}
