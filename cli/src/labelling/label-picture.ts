import * as Plot from "@observablehq/plot";
import { PUBLISHED_COSINE_THRESHOLD, type Verdict, verdicts } from "@saestitch/core";
import { changeScale, sideMark } from "../pictures/change-axis.ts";
import { headingMarks, svgFigure } from "../pictures/svg-figure.ts";
import { thinned } from "../pictures/thinned.ts";
import { formatCount } from "../terminal/format-number.ts";
import { countVerdicts } from "./label-document.ts";
import type { LabelRun } from "./label-run.ts";

/** More dots than this hide one another and make a file no browser likes. */
const MOST_DOTS = 20_000;

/** Told apart by people with any colour vision, on white. */
const colours: Readonly<Record<Verdict, string>> = {
  novel: "#d1495b",
  reconstruction: "#2e6f9e",
  undecided: "#a8a8a8",
  dead: "#d8d8d8",
};

interface Dot {
  readonly cosine: number;
  /** ΔMSE as a share of the smaller SAE's MSE, in per cent. */
  readonly change: number;
  readonly verdict: Verdict;
}

/** The labels as an SVG document: each live latent's highest cosine against what inserting it does to the error. */
export function labelPicture(run: LabelRun): string {
  const { labels } = run;
  const dots = liveDots(run);
  const drawn = thinned(dots, MOST_DOTS);
  const counts = countVerdicts(labels.latents.verdict);
  const scale = changeScale(dots.map(({ change }) => change));
  const left = Math.floor(10 * dots.reduce((least, { cosine }) => Math.min(least, cosine), 0.5)) / 10;
  const isCrowded = drawn.length > 4000;
  return svgFigure({
    x: {
      label: "highest decoder cosine to a latent of the smaller SAE →",
      labelAnchor: "center",
      domain: [left, 1],
    },
    y: {
      label: "ΔMSE when inserted alone, % of the smaller SAE's MSE",
      labelAnchor: "center",
      labelArrow: "none",
      type: "symlog",
      grid: true,
      tickFormat: (change: number) => `${change > 0 ? "+" : ""}${change} %`,
      ...scale,
    },
    color: { domain: verdicts, range: verdicts.map((verdict) => colours[verdict]) },
    marks: [
      ...nullMarks(labels.predictor.null.percentile95, left),
      Plot.ruleY([0], { stroke: "#222" }),
      ...thresholdMarks(labels.predictor.best?.threshold ?? null),
      sideMark("↑ inserting it makes reconstruction worse", -10),
      sideMark("↓ inserting it improves reconstruction", 12),
      Plot.dot(drawn, {
        x: "cosine",
        y: "change",
        fill: "verdict",
        fillOpacity: isCrowded ? 0.45 : 0.72,
        r: isCrowded ? 1.8 : 3.2,
      }),
      ...heading(run, counts, dots.length, drawn.length),
    ],
  });
}

function liveDots({ labels: { latents, smaller } }: LabelRun): Dot[] {
  return Array.from(latents.verdict, (verdict, j) => ({
    cosine: latents.cosine[j],
    change: (100 * latents.deltaMse[j]) / smaller.mse,
    verdict,
  })).filter(({ verdict }) => verdict !== "dead");
}

/** Where the best cosines of random directions lie, if that reaches into the plot. */
function nullMarks(percentile95: number, left: number): Plot.Markish[] {
  if (percentile95 <= left) return [];
  return [
    Plot.rect([0], { x1: () => left, x2: () => percentile95, fill: "#f1f1ee" }),
    Plot.text([0], {
      x: () => (left + percentile95) / 2,
      frameAnchor: "top",
      text: () => "random\ndirections",
      lineAnchor: "top",
      dy: 8,
      fill: "#888",
    }),
  ];
}

function thresholdMarks(best: number | null): Plot.Markish[] {
  const published = PUBLISHED_COSINE_THRESHOLD;
  const line = (x: number, name: string, side: "start" | "end", dash: string) => [
    Plot.ruleX([x], { stroke: "#444", strokeDasharray: dash }),
    Plot.text([x], {
      x: (value: number) => value,
      frameAnchor: "top",
      text: () => name,
      textAnchor: side,
      dx: side === "start" ? 5 : -5,
      dy: 12,
      fill: "#444",
      stroke: "white",
      strokeWidth: 4,
    }),
  ];
  const bestIsLeft = best !== null && best < published;
  return [
    ...line(published, `published ${published.toFixed(2)}`, bestIsLeft ? "start" : "end", "2,3"),
    ...(best === null ? [] : line(best, `best ${best.toFixed(2)}`, bestIsLeft ? "end" : "start", "6,3")),
  ];
}

function heading(
  { smaller, larger, labels }: LabelRun,
  counts: Readonly<Record<Verdict, number>>,
  live: number,
  drawn: number,
): Plot.Markish[] {
  const title = `${formatCount(larger.sae.decoder.rows)} latents against ${formatCount(smaller.sae.decoder.rows)}: novel or reconstruction?`;
  const { auc } = labels.predictor;
  const subtitle = [
    `${formatCount(labels.tokens)} tokens`,
    `a low cosine foretells improvement with AUC ${auc === null ? "–" : auc.toFixed(3)}`,
    ...(drawn < live ? [`${formatCount(drawn)} of ${formatCount(live)} live latents drawn`] : []),
  ].join("  ·  ");
  const legend = verdicts
    .filter((verdict) => counts[verdict] > 0)
    .map((verdict) => ({
      name: `${verdict} ${formatCount(counts[verdict])}${verdict === "dead" ? " (not drawn)" : ""}`,
      colour: colours[verdict],
    }));
  return headingMarks(title, subtitle, legend);
}
