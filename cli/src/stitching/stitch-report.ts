import type { Method, Refit } from "@saestitch/core";
import { formatCount, formatFixed, formatNumber } from "../terminal/format-number.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { textTable } from "../terminal/text-table.ts";
import { wrap } from "../terminal/wrap.ts";
import {
  type StitchDocument,
  type StitchRun,
  type StitchSummary,
  stitchDocument,
} from "./stitch-document.ts";

const methods: Readonly<Record<Method, string>> = {
  greedy: "greedy",
  threshold: "threshold",
  random: "random choice",
  concatenation: "concatenation",
  trained: "trained SAE",
  boosted: "boosted SAE",
};

const refits: Readonly<Record<Refit, string>> = {
  none: "as trained",
  bias: "bias",
  decoder: "decoder",
};

/** A stitched SAE and its rivals as text for a terminal of `width` columns. */
export function stitchReport(
  run: StitchRun,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const document = stitchDocument(run);
  const fitted = (text: string) => wrap(text, width - 2);
  return [
    section("Stitched from", "", fitted(sourceLines(document)), style),
    ...(document.thresholdForms.length === 0
      ? []
      : [section("TopK in threshold form", "", fitted(formLines(document)), style)]),
    section("Search", "", fitted(searchLines(document)), style),
    comparisonSection(document, { width, style }),
    section("Its latents", "", fitted(latentLines(document)), style),
  ].join("\n");
}

/** The stitched SAE beside its rivals. */
export function comparisonSection(
  summary: StitchSummary,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  return section(
    `Frankenstein's SAE of ${formatCount(summary.result.latents)} latents, and its rivals`,
    `at L0 ${formatNumber(summary.commonL0, 4)}`,
    [rivalTable(summary), ...noteLines(summary).map((line) => wrap(line, width - 2))].join("\n"),
    style,
  );
}

function sourceLines({ saes, halves, activations, latents }: StitchDocument): string {
  const counts = new Map<string, number>();
  for (const { source } of latents) counts.set(source, (counts.get(source) ?? 0) + 1);
  const unit = halves.unit === "document" ? "documents" : "tokens, each taken for a document of its own";
  return [
    ...saes.map(
      ({ location, latents }) =>
        `${formatCount(counts.get(location) ?? 0)} of ${formatCount(latents)} latents of ${location}`,
    ),
    activations.location,
    `chosen and fitted on ${formatCount(halves.selection.documents)} ${unit} (${formatCount(halves.selection.tokens)} tokens), measured on ${formatCount(halves.evaluation.documents)} others (${formatCount(halves.evaluation.tokens)} tokens)`,
  ].join("\n");
}

function formLines({ thresholdForms }: StitchDocument): string {
  return thresholdForms
    .map(
      ({ location, k, threshold, tokens, l0, mse }) =>
        `${location}: k = ${k} became a threshold of ${formatNumber(threshold)}; on ${formatCount(tokens)} tokens L0 ${formatNumber(l0.before)} → ${formatNumber(l0.after)}, MSE ${formatNumber(mse.before)} → ${formatNumber(mse.after)}`,
    )
    .join("\n");
}

function searchLines({ search, result }: StitchDocument): string {
  const { trials, rounds, evaluations, plainEvaluations, refitExchange } = search;
  if (result.method !== "greedy") return "by cosine, without measuring; greedy below for comparison";
  return (
    `${formatCount(evaluations)} gains computed, where looking at every candidate at every pick takes ${formatCount(plainEvaluations)}; ` +
    `${formatCount(trials.length)} beginnings, ${rounds.kept} of ${rounds.tried} exchange rounds kept` +
    (refitExchange === null
      ? ""
      : `; for re-fitted directions ${refitExchange.rounds.kept} of ${refitExchange.rounds.tried} more, from what ${refitExchange.name} gave`)
  );
}

function rivalTable({ comparison }: StitchSummary): string {
  return textTable(
    [
      { heading: "", align: "left" },
      { heading: "", align: "left" },
      { heading: "re-fitted", align: "left" },
      { heading: "latents", align: "right" },
      { heading: "L0", align: "right" },
      { heading: "MSE ↓", align: "right" },
      { heading: "var. expl. ↑", align: "right" },
      { heading: "", align: "left" },
    ],
    comparison.map(
      ({ method, refit, latents, l0, mse, varianceExplained, isOnFront, isResult, matching }) => [
        isResult ? ">" : "",
        methods[method],
        refits[refit],
        formatCount(latents),
        `${formatNumber(l0, 4)}${matching === "below" ? " <" : ""}`,
        formatNumber(mse, 4),
        formatFixed(varianceExplained, 4),
        isOnFront ? "*" : "",
      ],
    ),
  );
}

function noteLines({ comparison, omitted }: StitchSummary): string[] {
  const named = comparison.flatMap(({ method, notes, location }) =>
    notes.length === 0
      ? []
      : [`${methods[method]}${location === null ? "" : ` (${location})`}: ${notes.join("; ")}`],
  );
  return [
    "Measured on documents that had no part in making them. > the result; * no other row has both a lower L0 and a lower MSE; < L0 was below already.",
    "Equal L0: weak activations of each are dropped below one floor of its own until the mean number left, where it was made, is the common one.",
    ...new Set(named),
    ...omitted.map(({ method, why }) => `no ${methods[method]}: ${why}`),
  ];
}

function latentLines({ latents }: StitchDocument): string {
  const counts = new Map<string, number>();
  for (const { verdict } of latents) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  const of = (verdict: string) => formatCount(counts.get(verdict) ?? 0);
  return `each entering the others alone: ${of("novel")} lower the error, ${of("reconstruction")} do not, ${of("undecided")} are undecided, ${of("dead")} never fired`;
}
