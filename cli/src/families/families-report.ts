import { type FamilyReport, type LatentKindName, latentKindNames } from "@saestitch/core";
import {
  formatCount,
  formatFixed,
  formatNumber,
  formatScientific,
  formatShare,
} from "../terminal/format-number.ts";
import { progressBar } from "../terminal/progress.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { type Column, textTable } from "../terminal/text-table.ts";
import { wrap } from "../terminal/wrap.ts";
import { countEffects, countKinds, type FamiliesRun } from "./families-document.ts";

const MOST_SIZES = 12;
const MOST_FAMILIES = 10;

const meanings: Readonly<Record<LatentKindName, string>> = {
  copy: "like one latent of the smaller",
  split: "shares a parent's firings with others",
  absorbing: "fires where a parent's copy is silent",
  composed: "a sum of several of the smaller",
  novel: "inserting it improves the smaller",
  dead: "never active on this sample",
  other: "none of these, or undecided",
};

/** The families of a pair as text for a terminal of `width` columns. */
export function familiesReport(
  run: FamiliesRun,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const { found, measured } = run;
  const rule = measured?.report.options.rule ?? "cosine";
  const sections = [
    section("SAEs", "", saeLines(run), style),
    section(
      "Families",
      `cosine above ${run.cosine}${rule === "evidence" ? ", and evidence" : ""}: ${formatCount(found.edges.length)} pairs`,
      [
        sizeTable(run),
        ...(found.sizes.warning === null ? [] : [wrap(`warning: ${found.sizes.warning}`, width - 2)]),
      ].join("\n"),
      style,
    ),
  ];
  if (measured === undefined)
    return [
      ...sections,
      wrap("Give --activations to learn what each latent is, and what swapping a family does.", width),
      "",
    ].join("\n");
  const { report } = measured;
  return [
    ...sections,
    section(
      "Latents of the larger SAE",
      `fdr ${report.options.falseDiscoveryRate}`,
      kindTable(report),
      style,
    ),
    section("Swapping a family of both SAEs", effectLine(report), swapTable(report), style),
  ].join("\n");
}

function saeLines({ smaller, larger, measured }: FamiliesRun): string {
  const line = (name: string, location: string, latents: number, figures: string) =>
    `${name} ${formatCount(latents)} latents${figures}  ${location}`;
  const figures = (metrics: FamilyReport["smaller"] | undefined) =>
    metrics === undefined ? "" : `, L0 ${formatNumber(metrics.l0, 4)}, MSE ${formatNumber(metrics.mse, 4)}`;
  const lines = [
    line("smaller:", smaller.location, smaller.sae.decoder.rows, figures(measured?.report.smaller)),
    line("larger: ", larger.location, larger.sae.decoder.rows, figures(measured?.report.larger)),
  ];
  if (measured === undefined) return lines.join("\n");
  const { tokens, documents } = measured.report;
  return [
    ...lines,
    `${formatCount(tokens)} tokens in ${formatCount(documents)} documents of ${measured.sample.location}`,
  ].join("\n");
}

function sizeTable({ found: { sizes, families } }: FamiliesRun): string {
  const columns: Column[] = [
    { heading: "smaller", align: "right" },
    { heading: "larger", align: "right" },
    { heading: "families", align: "right" },
    { heading: "", align: "left" },
  ];
  const nameOf = (smaller: number, larger: number) => {
    if (smaller === 0) return "of the larger alone";
    if (larger === 0) return "of the smaller alone";
    if (smaller === 1 && larger === 1) return "pairs";
    if (smaller === 1) return "one parent, split";
    return larger === 1 ? "several merged" : "";
  };
  const most = [...sizes.counts].sort((a, b) => b.families - a.families).slice(0, MOST_SIZES);
  const shown = sizes.counts.filter((count) => most.includes(count));
  const rest = sizes.counts.length - shown.length;
  const table = textTable(
    columns,
    shown.map(({ smaller, larger, families }) => [
      formatCount(smaller),
      formatCount(larger),
      formatCount(families),
      nameOf(smaller, larger),
    ]),
  );
  const largest = sizes.largest === null ? undefined : families[sizes.largest];
  return [
    table,
    ...(rest > 0 ? [`and ${rest} rarer sizes`] : []),
    ...(largest
      ? [`largest: ${largest.smaller.length} of the smaller with ${largest.larger.length} of the larger`]
      : []),
  ].join("\n");
}

function kindTable(report: FamilyReport): string {
  const counts = countKinds(report);
  const columns: Column[] = ["left", "right", "right", "left", "left"].map((align) => ({
    heading: "",
    align: align as Column["align"],
  }));
  return textTable(
    columns,
    latentKindNames.map((kind) => {
      const share = counts[kind] / report.kinds.length;
      const bar = progressBar(share, 10).replaceAll("░", " ");
      return [kind, formatCount(counts[kind]), formatShare(share), bar, meanings[kind]];
    }),
  );
}

function effectLine(report: FamilyReport): string {
  return Object.entries(countEffects(report))
    .filter(([, count]) => count > 0)
    .map(([effect, count]) => `${effect} ${formatCount(count)}`)
    .join(", ");
}

function swapTable({ families, swaps, smaller }: FamilyReport): string {
  const both = Array.from(families.keys()).filter(
    (f) => families[f].smaller.length > 0 && families[f].larger.length > 0,
  );
  if (both.length === 0) return "no family has latents of both";
  const strongest = both
    .sort((a, b) => Math.abs(swaps.deltaMse[b]) - Math.abs(swaps.deltaMse[a]))
    .slice(0, MOST_FAMILIES);
  const table = textTable(
    [
      { heading: "out", align: "left" },
      { heading: "in", align: "left" },
      { heading: "ΔMSE ↓", align: "right" },
      { heading: "of MSE", align: "right" },
      { heading: "ΔL0", align: "right" },
      { heading: "", align: "left" },
    ],
    strongest.map((f) => [
      named(families[f].smaller),
      named(families[f].larger),
      `${formatScientific(swaps.deltaMse[f], 3)} ± ${formatScientific(swaps.standardError[f], 2)}`,
      formatShare(swaps.deltaMse[f] / smaller.mse, 2),
      formatFixed(swaps.deltaL0[f], 3),
      swaps.effect[f],
    ]),
  );
  return [
    table,
    "The strongest. ΔMSE: change of the smaller's MSE per element ± SE when",
    "the family alone is swapped; ΔL0: change of active latents per token.",
  ].join("\n");
}

/** A few latents by number, or how many there are. */
function named(latents: readonly number[]): string {
  return latents.length <= 2 ? latents.join(", ") : `${latents[0]} and ${latents.length - 1} more`;
}
