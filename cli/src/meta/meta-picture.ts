import * as Plot from "@observablehq/plot";
import { headingMarks, stackedFigures, svgFigure } from "../pictures/svg-figure.ts";
import { formatCount, formatShare } from "../terminal/format-number.ts";
import { type Bin, binned } from "../terminal/histogram.ts";
import { type Explanation, explanations } from "./explanations.ts";
import { type CosineRecord, metaDocument } from "./meta-document.ts";
import type { MetaRun } from "./meta-run.ts";

/** Told apart by people with any colour vision, on white. */
const colours: Readonly<Record<Explanation["kind"], string>> = {
  meta: "#d1495b",
  smaller: "#2e6f9e",
  chance: "#a8a8a8",
};

/** Bars end here at the left, their number says how far they would go. */
const LEAST_SHARE = -1;

const MARGIN_LEFT = 220;

/** Width of a bin of cosines. */
const BIN_WIDTH = 0.05;

/** A meta-SAE as an SVG document: variance explained beside what chance and the smaller SAE explain, and the highest cosines of the meta-latents. */
export function metaPicture(run: MetaRun): string {
  const document = metaDocument(run);
  const { training, directions, cosines } = document;
  const bars = explanations(document);
  const legend = [
    { name: "meta-latents", colour: colours.meta, kind: "meta" },
    { name: "latents of the smaller SAE", colour: colours.smaller, kind: "smaller" },
    { name: "random directions", colour: colours.chance, kind: "chance" },
  ].filter(({ kind }) => bars.some((bar) => bar.kind === kind));
  const title = `What are ${formatCount(directions)} directions made of? ${formatCount(training.latents)} meta-latents`;
  const subtitle = `recipe ${training.recipe}  ·  ${training.k} active on average  ·  ${formatCount(document.deadMetaLatents)} dead`;
  return stackedFigures([
    barFigure(bars, headingMarks(title, subtitle, legend)),
    ...(run.comparison === null || cosines.smaller === null
      ? []
      : [
          cosineFigure(
            "smaller",
            run.comparison.result.toSmaller.cosines,
            cosines.smaller,
            cosines.threshold,
          ),
        ]),
    cosineFigure("larger", run.toLarger.cosines, cosines.larger, cosines.threshold),
  ]);
}

function barFigure(bars: readonly Explanation[], heading: readonly Plot.Markish[]): string {
  const shares = bars.map(({ fit }) => fit.varianceExplained ?? 0);
  const least = Math.max(
    LEAST_SHARE,
    shares.reduce((least, share) => Math.min(least, share), 0),
  );
  const end = (index: number) => Math.max(least, shares[index]);
  const places = [...bars.keys()];
  return svgFigure({
    height: 152 + 26 * bars.length,
    marginLeft: MARGIN_LEFT,
    x: {
      label: "variance explained → better",
      labelAnchor: "center",
      labelArrow: "none",
      domain: [least === 0 ? 0 : least - 0.08, 1],
      tickFormat: "~%",
      grid: true,
    },
    y: { label: null, domain: places, tickFormat: (i: number) => bars[i].name, tickSize: 0 },
    marks: [
      Plot.barX(places, {
        y: (i: number) => i,
        x: end,
        fill: (i: number) => colours[bars[i].kind],
        insetTop: 3,
        insetBottom: 3,
      }),
      Plot.text(places, {
        y: (i: number) => i,
        x: (i: number) => Math.max(0, end(i)),
        text: (i: number) => formatShare(bars[i].fit.varianceExplained, 1),
        textAnchor: "start",
        dx: 6,
      }),
      Plot.ruleX([0]),
      ...heading,
    ],
  });
}

function cosineFigure(
  which: "smaller" | "larger",
  cosines: Float32Array,
  { median, aboveThreshold, min }: CosineRecord,
  threshold: number,
): string {
  const note = `Highest cosine to a latent of the ${which} SAE: median ${median.toFixed(2)}, ${formatShare(aboveThreshold, 0)} above ${threshold}`;
  const bins = binned([{ name: which, character: "", values: Array.from(cosines) }], BIN_WIDTH);
  return svgFigure({
    height: 200,
    marginTop: 48,
    marginLeft: MARGIN_LEFT,
    x: {
      label: which === "larger" ? "highest cosine →" : null,
      labelAnchor: "center",
      domain: [Math.min(0, Math.floor(min * 10) / 10), 1],
    },
    y: {
      label: "meta-latents",
      labelAnchor: "center",
      labelArrow: "none",
      labelOffset: 50,
      grid: true,
      ticks: 4,
    },
    marks: [
      Plot.rectY(bins, {
        x1: "lower",
        x2: "upper",
        y: ({ counts }: Bin) => counts[0],
        fill: which === "smaller" ? colours.smaller : "#222",
        inset: 0.5,
      }),
      Plot.ruleX([threshold], { stroke: "#444", strokeDasharray: "2,3" }),
      Plot.ruleY([0]),
      Plot.text([note], {
        text: (line: string) => line,
        frameAnchor: "top-left",
        textAnchor: "start",
        dy: -24,
        fontWeight: "bold",
      }),
    ],
  });
}
