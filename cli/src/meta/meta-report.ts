import { formatCount, formatFixed, formatSeconds, formatShare } from "../terminal/format-number.ts";
import { histogram } from "../terminal/histogram.ts";
import { progressBar } from "../terminal/progress.ts";
import { section as reportSection } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { textTable } from "../terminal/text-table.ts";
import { wrap } from "../terminal/wrap.ts";
import { explanations } from "./explanations.ts";
import { type CosineRecord, type MetaDocument, metaDocument } from "./meta-document.ts";
import type { MetaRun } from "./meta-run.ts";

/** Latents with more active meta-latents than this are counted together. */
const MOST_ACTIVE = 12;

/** A meta-SAE as text for a terminal of `width` columns. */
export function metaReport(
  run: MetaRun,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const document = metaDocument(run);
  const { comparison, cosines } = document;
  const section = (title: string, note: string, body: string) => reportSection(title, note, body, style);
  const bars = (values: Float32Array) =>
    histogram([{ name: "", character: "█", values: Array.from(values) }], 0.1, Math.min(40, width - 28));
  return [
    section("Meta-SAE", "", trainingLines(document, width - 2)),
    section(
      "What explains the directions of the larger SAE?",
      "↓ lower is better, ↑ higher",
      explanationLines(document, width - 2),
    ),
    section("Active meta-latents per latent", "", activeTable(document.activeCounts)),
    section(
      "Highest cosine of meta-latents to the larger SAE",
      cosineNote(cosines.larger, cosines.threshold),
      bars(run.toLarger.cosines),
    ),
    ...(run.comparison === null || cosines.smaller === null
      ? []
      : [
          section(
            "Highest cosine of meta-latents to the smaller SAE",
            cosineNote(cosines.smaller, cosines.threshold),
            bars(run.comparison.result.toSmaller.cosines),
          ),
        ]),
    ...(comparison === null
      ? []
      : [section("Meta-SAE or sparse regression?", "", wrap(verdict(document, comparison), width - 2))]),
  ].join("\n");
}

function trainingLines(
  { larger, smaller, directions, zeroLatents, training }: MetaDocument,
  width: number,
): string {
  const { recipe, latents, k, steps, batchRows, seconds } = training;
  return [
    `larger:  ${larger.location}`,
    ...(smaller === null ? [] : [`smaller: ${smaller.location}`]),
    wrap(
      `${formatCount(latents)} meta-latents, ${k} active on average, for ${formatCount(directions)} directions of width ${larger.d}` +
        (zeroLatents.length === 0
          ? ""
          : `; ${formatCount(zeroLatents.length)} latents without a direction left out`),
      width,
    ),
    `recipe ${recipe}: ${formatCount(steps)} steps of ${formatCount(batchRows)} in ${formatSeconds(seconds)}`,
  ].join("\n");
}

function explanationLines(document: MetaDocument, width: number): string {
  const table = textTable(
    [
      { heading: "", align: "left" },
      { heading: "var. expl. ↑", align: "right" },
      { heading: "MSE ↓", align: "right" },
      { heading: "active", align: "right" },
      { heading: "unused ↓", align: "right" },
    ],
    explanations(document).map(({ name, fit }) => [
      name,
      formatShare(fit.varianceExplained, 2),
      fit.mse.toExponential(3),
      formatFixed(fit.l0, 2),
      formatShare(fit.deadShare),
    ]),
  );
  const legend = [
    "variance explained = 1 - Σ‖w - ŵ‖² / Σ‖w - w̄‖²  (w: directions of length 1, w̄: their mean)",
    "active: directions that a latent is made of, on average; unused: those that no latent is made of",
    "Published (GPT-2, 49,152 latents, 2,304 meta-latents, k 4): 55.47 %",
  ];
  return [table, ...legend.map((line) => wrap(line, width))].join("\n");
}

function activeTable(counts: readonly number[]): string {
  const shown = counts.slice(0, MOST_ACTIVE);
  const rest = counts.slice(MOST_ACTIVE).reduce((sum, count) => sum + count, 0);
  const rows: [string, number][] = shown.map((count, active) => [String(active), count]);
  if (rest > 0) rows.push([`${MOST_ACTIVE} or more`, rest]);
  const total = rows.reduce((sum, [, count]) => sum + count, 0);
  return textTable(
    [
      { heading: "active", align: "right" },
      { heading: "latents", align: "right" },
      { heading: "", align: "right" },
      { heading: "", align: "left" },
    ],
    rows.map(([active, count]) => [
      active,
      formatCount(count),
      formatShare(count / total),
      progressBar(count / total, 30).replaceAll("░", " "),
    ]),
  );
}

function cosineNote({ median, aboveThreshold }: CosineRecord, threshold: number): string {
  return `median ${formatFixed(median, 2)}, ${formatShare(aboveThreshold, 0)} above ${threshold}`;
}

/** Which wins, and by how much. */
function verdict(
  { fit, training, smaller }: MetaDocument,
  { winner, advantage, pursuit }: NonNullable<MetaDocument["comparison"]>,
): string {
  const meta = `${formatShare(fit.varianceExplained, 2)} of the variance, ${formatFixed(fit.l0, 2)} active on average`;
  const regression = `${formatShare(pursuit.smaller.varianceExplained, 2)}, ${formatFixed(pursuit.smaller.l0, 2)} active`;
  const points = `${formatFixed(100 * Math.abs(advantage ?? 0), 2)} percentage points`;
  const sizes = `The meta-SAE has ${formatCount(training.latents)} directions to choose from, the smaller SAE ${formatCount(smaller?.m ?? 0)}.`;
  switch (winner) {
    case "meta-sae":
      return `The meta-SAE wins: it explains (${meta}) ${points} more than sparse regression on the smaller SAE (${regression}). ${sizes}`;
    case "sparse-regression":
      return `Sparse regression wins: on the smaller SAE it explains (${regression}) ${points} more than the meta-SAE (${meta}). ${sizes}`;
    case "neither":
      return `Neither wins: the meta-SAE (${meta}) explains as much as sparse regression on the smaller SAE (${regression}). ${sizes}`;
    default:
      return winner satisfies never;
  }
}
