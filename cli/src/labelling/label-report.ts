import {
  type Labels,
  type LatentColumns,
  type ReconstructionMetrics,
  type Verdict,
  verdicts,
} from "@saestitch/core";
import {
  formatCount,
  formatFixed,
  formatNumber,
  formatScientific,
  formatShare,
} from "../terminal/format-number.ts";
import { histogram, type Series } from "../terminal/histogram.ts";
import { progressBar } from "../terminal/progress.ts";
import { section as reportSection } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { type Column, textTable } from "../terminal/text-table.ts";
import { countVerdicts } from "./label-document.ts";
import type { LabelRun } from "./label-run.ts";

const MOST_NOVEL = 10;

const characters: Readonly<Record<Exclude<Verdict, "dead">, string>> = {
  novel: "█",
  reconstruction: "▒",
  undecided: "·",
};

/** The labels of a pair as text for a terminal of `width` columns. */
export function labelReport(
  run: LabelRun,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const { labels } = run;
  const section = (title: string, note: string, body: string) => reportSection(title, note, body, style);
  return [
    section("Sample", "", sampleLines(run)),
    section("SAEs", "↓ lower is better, ↑ higher", saeTable(run)),
    section(
      "Latents of the larger SAE",
      `fdr ${labels.options.falseDiscoveryRate}, bias ${labels.options.bias}, gating ${labels.options.gating}`,
      verdictTable(labels),
    ),
    section("Does a low cosine foretell a novel latent?", "", predictorTable(labels)),
    section("Highest cosine to the smaller SAE", legend(labels), cosineHistogram(labels, width)),
    section(
      "Most novel latents",
      "ΔMSE: change of the smaller's MSE per element ± SE",
      novelTable(labels, width),
    ),
  ].join("\n");
}

function sampleLines({ sample, labels }: LabelRun): string {
  const tokens = `token${sample.excludedTokens.length === 1 ? "" : "s"} ${sample.excludedTokens.join(", ")}`;
  const of = sample.excludedTokens.length === 0 ? "" : ` of ${tokens}`;
  return [
    sample.location,
    labels.documents === labels.tokens
      ? `${formatCount(labels.tokens)} tokens, each taken for a document of its own`
      : `${formatCount(labels.tokens)} tokens in ${formatCount(labels.documents)} documents`,
    `left out: ${formatCount(labels.excluded)} rows${of}, ${formatCount(labels.nonFinite)} rows with NaN or infinite values`,
    ...(labels.documents < 2 ? ["Nothing can be decided: standard errors need at least two documents."] : []),
  ].join("\n");
}

function saeTable({ smaller, larger, labels }: LabelRun): string {
  const figures = ({ mse, l0, varianceExplained, deadShare }: ReconstructionMetrics, latents: number) => [
    formatCount(latents),
    formatNumber(l0, 4),
    formatNumber(mse, 4),
    formatFixed(varianceExplained, 4),
    formatShare(deadShare),
  ];
  const left = figures(labels.smaller, smaller.sae.decoder.rows);
  const right = figures(labels.larger, larger.sae.decoder.rows);
  const names = [
    "latents",
    "L0, active latents per token",
    "MSE per element ↓",
    "variance explained ↑",
    "dead latents ↓",
  ];
  const table = textTable(
    [
      { heading: "", align: "left" },
      { heading: "smaller", align: "right" },
      { heading: "larger", align: "right" },
    ],
    names.map((name, i) => [name, left[i], right[i]]),
  );
  return [
    `smaller: ${smaller.location}`,
    `larger:  ${larger.location}`,
    table,
    "variance explained = 1 - Σ‖x - x̂‖² / Σ‖x - x̄‖²  (x̄: mean of the sample)",
  ].join("\n");
}

const meanings: Readonly<Record<Verdict, string>> = {
  novel: "insertion improves the smaller",
  reconstruction: "insertion does not improve it",
  undecided: "this sample cannot tell",
  dead: "never active on this sample",
};

function verdictTable({ latents }: Labels): string {
  const counts = countVerdicts(latents.verdict);
  return textTable(
    [
      { heading: "", align: "left" },
      { heading: "", align: "right" },
      { heading: "", align: "right" },
      { heading: "", align: "left" },
      { heading: "", align: "left" },
    ],
    verdicts.map((verdict) => {
      const share = counts[verdict] / latents.verdict.length;
      const bar = progressBar(share, 10).replaceAll("░", " ");
      return [verdict, formatCount(counts[verdict]), formatShare(share), bar, meanings[verdict]];
    }),
  );
}

function predictorTable({ predictor }: Labels): string {
  const { auc, aucInterval, best, thresholdInterval, published, null: random } = predictor;
  const interval = (range: { lower: number; upper: number } | null) =>
    range === null ? "" : `${formatFixed(range.lower, 3)} to ${formatFixed(range.upper, 3)}`;
  const rates = (cut: { truePositiveRate: number; falsePositiveRate: number } | null) =>
    cut === null
      ? ""
      : `finds ${formatShare(cut.truePositiveRate, 0)}, false alarms ${formatShare(cut.falsePositiveRate, 0)}`;
  if (auc === null) {
    return "no answer: all live latents improve the smaller SAE, or none does";
  }
  return textTable(
    [
      { heading: "", align: "left" },
      { heading: "", align: "right" },
      { heading: "95 % interval", align: "left" },
      { heading: "", align: "left" },
    ],
    [
      ["AUC ↑", formatFixed(auc, 3), interval(aucInterval), "0.5 is chance, 1 perfect"],
      ["best threshold", formatFixed(best?.threshold ?? null, 3), interval(thresholdInterval), rates(best)],
      ["published threshold", formatFixed(published?.threshold ?? null, 3), "", rates(published)],
      [
        "random directions",
        formatFixed(random.mean, 3),
        "",
        `mean; 95 % are below ${formatFixed(random.percentile95, 3)}`,
      ],
    ],
  );
}

function shown({ latents }: Labels): (keyof typeof characters)[] {
  const counts = countVerdicts(latents.verdict);
  return (Object.keys(characters) as (keyof typeof characters)[]).filter((verdict) => counts[verdict] > 0);
}

function legend(labels: Labels): string {
  return shown(labels)
    .map((verdict) => `${characters[verdict]} ${verdict}`)
    .join("  ");
}

function cosineHistogram(labels: Labels, width: number): string {
  const { verdict, cosine } = labels.latents;
  const series = shown(labels).map(
    (name): Series => ({
      name,
      character: characters[name],
      values: Array.from(cosine).filter((_, j) => verdict[j] === name),
    }),
  );
  return histogram(series, 0.1, Math.min(60, width - 28)) || "no latent was active";
}

/** The latents by verdict novel, most negative ΔMSE first. */
export function mostNovel({ verdict, deltaMse }: LatentColumns, count: number): number[] {
  return Array.from(verdict.keys())
    .filter((j) => verdict[j] === "novel")
    .sort((a, b) => deltaMse[a] - deltaMse[b])
    .slice(0, count);
}

function novelTable({ latents, smaller }: Labels, width: number): string {
  const rows = mostNovel(latents, MOST_NOVEL);
  if (rows.length === 0) return "none";
  const columns: readonly (Column & { readonly cell: (j: number) => string; readonly wide?: boolean })[] = [
    { heading: "latent", align: "right", cell: (j) => String(j) },
    {
      heading: "ΔMSE ↓",
      align: "right",
      cell: (j) =>
        `${formatScientific(latents.deltaMse[j], 3)} ± ${formatScientific(latents.standardError[j], 2)}`,
    },
    {
      heading: "of MSE",
      align: "right",
      wide: true,
      cell: (j) => formatShare(latents.deltaMse[j] / smaller.mse, 2),
    },
    { heading: "scale α", align: "right", cell: (j) => formatFixed(latents.scale[j], 3) },
    { heading: "density", align: "right", cell: (j) => formatShare(latents.density[j], 3) },
    { heading: "cosine", align: "right", cell: (j) => formatFixed(latents.cosine[j], 3) },
    { heading: "match", align: "right", cell: (j) => String(latents.match[j]) },
    { heading: "agreement", align: "right", cell: (j) => formatFixed(latents.agreement[j], 3) },
  ];
  const fitting = columns.filter(({ wide }) => !wide || width >= 96);
  const table = textTable(
    fitting,
    rows.map((j) => fitting.map(({ cell }) => cell(j))),
  );
  const legend = [
    "scale α: best factor for its output, above ½ insertion improves",
    "match: nearest latent of the smaller SAE; agreement: correlation with it",
  ];
  return [table, ...legend].join("\n");
}
