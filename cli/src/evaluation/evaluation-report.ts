import { formatLossChange, LOSS_FIGURES_WIDTH, lossLegend, lossTable } from "../losses/loss-table.ts";
import {
  formatCount,
  formatFixed,
  formatNumber,
  formatScientific,
  formatShare,
} from "../terminal/format-number.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { textTable } from "../terminal/text-table.ts";
import { wrap } from "../terminal/wrap.ts";
import type { EvaluationDocument, EvaluationLoss } from "./evaluation-document.ts";

/** Columns of a terminal that the table of SAEs takes beside their names. */
const FIGURES_WIDTH = 51;

/** An evaluation as text for a terminal of `width` columns. */
export function evaluationReport(
  document: EvaluationDocument,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const { activations, tokens, excluded, nonFinite, insertion, loss } = document;
  const fitted = (lines: readonly string[]) => lines.map((line) => wrap(line, width - 2)).join("\n");
  const sample = [
    activations.location,
    `${formatCount(tokens)} tokens; left out: ${formatCount(excluded.rows)} rows of excluded tokens, ${formatCount(nonFinite)} rows with NaN or infinite values`,
  ];
  const sections = [
    section("Sample", "", fitted(sample), style),
    section(
      "SAEs",
      "↓ lower is better, ↑ higher",
      [saeTable(document, width), fitted(saeLegend(document))].join("\n"),
      style,
    ),
  ];
  if (insertion !== null) sections.push(section("Insertion", "", fitted(insertionLines(document)), style));
  if (loss !== null)
    sections.push(
      section(
        "Loss",
        "with this in the place of the activations; nats",
        [evaluationLossTable(document, loss, width), fitted(lossLegend(loss))].join("\n"),
        style,
      ),
    );
  return sections.join("\n");
}

function saeTable({ saes, insertion }: EvaluationDocument, width: number): string {
  const rows = saes.map(({ location, latents, l0, mse, varianceExplained, deadShare, undominated }) => [
    shortened(location, width - FIGURES_WIDTH),
    formatCount(latents),
    formatNumber(l0, 4),
    formatNumber(mse, 4),
    formatFixed(varianceExplained, 4),
    formatShare(deadShare),
    undominated ? "*" : "",
  ]);
  if (insertion !== null) {
    const { latents, l0, mse, varianceExplained } = insertion;
    rows.push([
      insertionName(insertion),
      formatCount(saes[0].latents + latents.length),
      formatNumber(l0, 4),
      formatNumber(mse, 4),
      formatFixed(varianceExplained, 4),
      "",
      "",
    ]);
  }
  return textTable(
    [
      { heading: "", align: "left" },
      { heading: "latents", align: "right" },
      { heading: "L0", align: "right" },
      { heading: "MSE ↓", align: "right" },
      { heading: "expl. ↑", align: "right" },
      { heading: "dead ↓", align: "right" },
      { heading: "", align: "left" },
    ],
    rows,
  );
}

function saeLegend({ varianceFormula }: EvaluationDocument): string[] {
  return [
    "L0: active latents per token; MSE: per element, mean over tokens; expl.: variance explained by the " +
      `formula "${varianceFormula}"`,
    "* no other has fewer or as many latents, L0 and MSE at once",
  ];
}

function insertionLines({ saes, insertion, loss }: EvaluationDocument): string[] {
  if (insertion === null) return [];
  const { latents, from, deltaMse } = insertion;
  return [
    `${insertionName(insertion)}: the host ${saes[0].location} with latents ${latents.join(", ")} of ${from.location}, each firing as in its own SAE`,
    `ΔMSE against the host alone ↓ ${formatScientific(deltaMse, 4)}`,
    ...(loss === null
      ? []
      : [
          `ΔCE against the host alone ↓ ${formatLossChange(loss.insertion?.versusHost ?? null)} nats per token, ± standard error of this paired difference`,
        ]),
  ];
}

function evaluationLossTable(
  { saes, insertion }: EvaluationDocument,
  loss: EvaluationLoss,
  width: number,
): string {
  const rows = loss.saes.map((figures, i) => ({
    name: shortened(saes[i].location, width - LOSS_FIGURES_WIDTH),
    figures,
  }));
  if (insertion !== null && loss.insertion !== null)
    rows.push({ name: insertionName(insertion), figures: loss.insertion });
  return lossTable(loss, rows);
}

function insertionName({ latents }: { readonly latents: readonly number[] }): string {
  return `host + ${formatCount(latents.length)}`;
}

/** The end of a location, which tells more than its beginning. */
function shortened(location: string, room: number): string {
  const longest = Math.max(8, room);
  return location.length > longest ? `…${location.slice(1 - longest)}` : location;
}
