import * as Plot from "@observablehq/plot";
import type { Method } from "@saestitch/core";
import { headingMarks, svgFigure } from "../pictures/svg-figure.ts";
import { formatCount } from "../terminal/format-number.ts";
import type { StitchRun } from "./stitch-document.ts";

/** Told apart by people with any colour vision, on white. */
const colours: Readonly<Record<Method, string>> = {
  greedy: "#d1495b",
  threshold: "#2e6f9e",
  random: "#a8a8a8",
  concatenation: "#66a182",
  trained: "#222222",
  boosted: "#e39a2d",
};

const names: Readonly<Record<Method, string>> = {
  greedy: "greedy",
  threshold: "threshold",
  random: "random",
  concatenation: "concatenation",
  trained: "trained",
  boosted: "boosted",
};

interface Dot {
  readonly l0: number;
  readonly mse: number;
  readonly method: Method;
}

/** The stitched SAE and its rivals as an SVG document: error against active latents, and how it rises as weak activations are dropped. */
export function stitchPicture({ stitched, budget }: StitchRun): string {
  const { comparison, halves, row } = stitched;
  const tabled = (refit: "bias" | "decoder"): Dot[] => comparison.rows.filter((r) => r.refit === refit);
  const result = comparison.rows[row];
  const present = [...new Set(comparison.rows.map(({ method }) => method))];
  const latents = budget.latents ?? result.latents;
  return svgFigure({
    marginLeft: 78,
    x: { label: "active latents per token (L0) →", labelAnchor: "center", grid: true, inset: 14 },
    y: {
      label: "MSE per element, held-out documents ↓ better",
      labelAnchor: "center",
      labelArrow: "none",
      type: "log",
      tickFormat: "~r",
      grid: true,
      inset: 14,
    },
    marks: [
      Plot.ruleX([comparison.l0], { stroke: "#999", strokeDasharray: "3,3" }),
      Plot.text([comparison.l0], {
        x: (l0: number) => l0,
        frameAnchor: "top",
        textAnchor: "start",
        dx: 5,
        dy: 6,
        text: () => "compared here",
        fill: "#555",
        stroke: "white",
        strokeWidth: 4,
      }),
      ...comparison.curves.map(({ method, points }) =>
        Plot.line(points, {
          x: "l0",
          y: "mse",
          stroke: colours[method],
          strokeWidth: 1.5,
          strokeOpacity: 0.7,
        }),
      ),
      Plot.dot(tabled("bias"), {
        x: "l0",
        y: "mse",
        stroke: (dot: Dot) => colours[dot.method],
        fill: "white",
        r: 4.5,
        strokeWidth: 1.8,
      }),
      Plot.dot(tabled("decoder"), { x: "l0", y: "mse", fill: (dot: Dot) => colours[dot.method], r: 4.5 }),
      Plot.dot([result], { x: "l0", y: "mse", stroke: colours[result.method], r: 9, strokeWidth: 1.5 }),
      ...headingMarks(
        `Frankenstein's SAE of ${formatCount(latents)} latents, and its rivals`,
        `measured on ${formatCount(halves.evaluation.tokens)} held-out tokens  ·  ○ bias re-fitted  ● decoder re-fitted  ◎ the SAE written`,
        present.map((method) => ({ name: names[method], colour: colours[method] })),
      ),
    ],
  });
}
