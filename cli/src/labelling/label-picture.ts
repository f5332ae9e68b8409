import * as Plot from "@observablehq/plot";
import { PUBLISHED_COSINE_THRESHOLD, type Verdict, verdicts } from "@saestitch/core";
import { parseHTML } from "linkedom";
import { formatCount } from "../terminal/format-number.ts";
import { countVerdicts } from "./label-document.ts";
import type { LabelRun } from "./label-run.ts";

const WIDTH = 820;
const HEIGHT = 500;
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
  const scale = changeScale(dots);
  const left = Math.floor(10 * dots.reduce((least, { cosine }) => Math.min(least, cosine), 0.5)) / 10;
  const isCrowded = drawn.length > 4000;
  const figure = Plot.plot({
    document: parseHTML("<html></html>").document,
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 74,
    marginRight: 24,
    marginTop: 84,
    marginBottom: 50,
    style: { background: "white", color: "#222", fontFamily: "system-ui, sans-serif", fontSize: "12px" },
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
      ...headingMarks(run, counts, dots.length, drawn.length),
    ],
  });
  figure.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  return `${figure.outerHTML}\n`;
}

function liveDots({ labels: { latents, smaller } }: LabelRun): Dot[] {
  return Array.from(latents.verdict, (verdict, j) => ({
    cosine: latents.cosine[j],
    change: (100 * latents.deltaMse[j]) / smaller.mse,
    verdict,
  })).filter(({ verdict }) => verdict !== "dead");
}

/** Every so many-th of the items, at most `most`. */
function thinned<Item>(items: readonly Item[], most: number): readonly Item[] {
  const step = Math.ceil(items.length / most);
  return step <= 1 ? items : items.filter((_, i) => i % step === 0);
}

/** A scale that spreads out changes of both signs over several powers of ten: linear up to their lower quartile, ticks beyond it. */
function changeScale(dots: readonly Dot[]): { constant: number; ticks: number[]; domain: [number, number] } {
  const changes = dots.map(({ change }) => change);
  const ascending = changes.map(Math.abs).sort((a, b) => a - b);
  const constant = ascending[Math.floor(ascending.length / 4)] || 1e-6;
  const furthest = ascending.at(-1) || constant;
  const lowest = changes.reduce((least, change) => Math.min(least, change), -constant);
  const highest = changes.reduce((most, change) => Math.max(most, change), constant);
  const top = Math.floor(Math.log10(furthest));
  const powers = [top, top - 1, top - 2, top - 3]
    .map((exponent) => 10 ** exponent)
    .filter((power) => power > constant);
  return {
    constant,
    ticks: [0, ...powers, ...powers.map((power) => -power)],
    domain: [1.15 * lowest, 1.15 * highest],
  };
}

/** Which side of zero is which, at the left of the plot. */
function sideMark(text: string, dy: number): Plot.Markish {
  return Plot.text([0], {
    y: (value: number) => value,
    frameAnchor: "left",
    textAnchor: "start",
    text: () => text,
    dx: 6,
    dy,
    fill: "#444",
  });
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

function headingMarks(
  { smaller, larger, labels }: LabelRun,
  counts: Readonly<Record<Verdict, number>>,
  live: number,
  drawn: number,
): Plot.Markish[] {
  const at = (text: string, options: Plot.TextOptions) =>
    Plot.text([text], {
      text: (line: string) => line,
      frameAnchor: "top-left",
      textAnchor: "start",
      ...options,
    });
  const title = `${formatCount(larger.sae.decoder.rows)} latents against ${formatCount(smaller.sae.decoder.rows)}: novel or reconstruction?`;
  const { auc } = labels.predictor;
  const subtitle = [
    `${formatCount(labels.tokens)} tokens`,
    `a low cosine foretells improvement with AUC ${auc === null ? "–" : auc.toFixed(3)}`,
    ...(drawn < live ? [`${formatCount(drawn)} of ${formatCount(live)} live latents drawn`] : []),
  ].join("  ·  ");
  let x = 6;
  const legend = verdicts
    .filter((verdict) => counts[verdict] > 0)
    .flatMap((verdict) => {
      const name = `${verdict} ${formatCount(counts[verdict])}${verdict === "dead" ? " (not drawn)" : ""}`;
      const marks = [
        Plot.dot([0], { frameAnchor: "top-left", dx: x, dy: -16, r: 4.5, fill: colours[verdict] }),
        at(name, { dx: x + 9, dy: -16 - 6 }),
      ];
      x += 9 + 24 + 6.6 * name.length;
      return marks;
    });
  return [
    at(title, { dy: -74, fontSize: 17, fontWeight: "bold" }),
    at(subtitle, { dy: -49, fill: "#555" }),
    ...legend,
  ];
}
