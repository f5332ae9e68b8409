import * as Plot from "@observablehq/plot";
import { headingMarks, stackedFigures, svgFigure } from "../pictures/svg-figure.ts";
import { thinned } from "../pictures/thinned.ts";
import { formatCount } from "../terminal/format-number.ts";
import { type Phase, phaseOf, type TrajectoryRun } from "./trajectory-document.ts";
import type { TrajectoryLosses } from "./trajectory-losses.ts";

/** More points than this no picture shows. */
const MOST_POINTS = 4000;

/** Told apart by people with any colour vision, on white. */
const colours: Readonly<Record<Phase, string>> = {
  insertions: "#d1495b",
  swaps: "#2e6f9e",
  removals: "#8a8a8a",
};

const names: Readonly<Record<Phase, string>> = {
  insertions: "latents inserted",
  swaps: "families swapped",
  removals: "latents removed",
};

interface Point {
  readonly step: number;
  readonly mse: number;
  readonly l0: number;
  readonly latents: number;
}

/** The way as an SVG document: error above, active latents below, step by step; between them, where it was measured, what the model loses. */
export function trajectoryPicture(run: TrajectoryRun): string {
  const { plan, trajectory, smaller, larger } = run;
  const { path } = trajectory;
  const points = thinned(
    Array.from(
      path.mse,
      (mse, step): Point => ({ step, mse, l0: path.l0[step], latents: path.latents[step] }),
    ),
    MOST_POINTS,
  );
  const stretches = phaseStretches(run);
  const x = { label: null, domain: [0, plan.steps.length] as [number, number], nice: false };
  const bands = stretches.map((stretch) =>
    Plot.rect([stretch], {
      x1: ({ from }) => from,
      x2: ({ to }) => to,
      fill: colours[stretch.phase],
      fillOpacity: 0.08,
    }),
  );
  const curve = (of: "mse" | "l0") =>
    stretches.map(({ phase, from, to }) =>
      Plot.line(
        points.filter(({ step }) => step >= from && step <= to),
        { x: "step", y: of, stroke: colours[phase], strokeWidth: 2 },
      ),
    );
  const phases = [...new Set(stretches.map(({ phase }) => phase))];
  const legend = phases.map((phase) => ({
    name: `${names[phase]} (${formatCount(plan.steps.filter((step) => phaseOf(step) === phase).length)} steps)`,
    colour: colours[phase],
  }));
  const rises = trajectory.rises.steps.length;
  const claim =
    rises === 0
      ? "the error falls at every step"
      : `the error rises at ${formatCount(rises)} of ${formatCount(plan.steps.length)} steps`;
  return stackedFigures([
    svgFigure({
      height: 400,
      marginBottom: 24,
      x,
      y: {
        label: "MSE per element ↓ better",
        labelAnchor: "center",
        labelArrow: "none",
        grid: true,
        inset: 12,
      },
      marks: [
        ...bands,
        ...levelMarks(
          trajectory.smaller.mse,
          `the smaller SAE, ${formatCount(smaller.sae.decoder.rows)} latents`,
          "end",
        ),
        ...levelMarks(
          trajectory.larger.mse,
          `the larger SAE, ${formatCount(larger.sae.decoder.rows)} latents`,
          "start",
        ),
        ...curve("mse"),
        ...headingMarks(
          `From ${formatCount(smaller.sae.decoder.rows)} to ${formatCount(larger.sae.decoder.rows)} latents, step by step`,
          `${formatCount(trajectory.tokens)} tokens  ·  bias: ${trajectory.bias}  ·  ${claim}`,
          legend,
        ),
      ],
    }),
    ...(run.losses === undefined ? [] : [lossFigure(run.losses, { x, bands })]),
    svgFigure({
      height: 190,
      marginTop: 14,
      x: { ...x, label: "step of the plan →", labelAnchor: "center" },
      y: { label: "L0, active latents", labelAnchor: "center", labelArrow: "none", grid: true },
      marks: [...bands, ...curve("l0")],
    }),
  ]);
}

/** A dashed line at `value`, with a text above it. */
function levelMarks(value: number, text: string, anchor: "start" | "end"): Plot.Markish[] {
  return [
    Plot.ruleY([value], { stroke: "#999", strokeDasharray: "3,3" }),
    Plot.text([value], {
      y: (at: number) => at,
      frameAnchor: anchor === "start" ? "left" : "right",
      textAnchor: anchor,
      text: () => text,
      dx: anchor === "start" ? 6 : -6,
      dy: -8,
      fill: "#555",
      stroke: "white",
      strokeWidth: 4,
    }),
  ];
}

/** What the model loses after the steps at which that was measured, with standard errors. */
function lossFigure(
  { steps, larger }: TrajectoryLosses,
  { x, bands }: { readonly x: Plot.ScaleOptions; readonly bands: readonly Plot.Markish[] },
): string {
  const measured = steps.flatMap(({ step, degradation }) =>
    degradation === null ? [] : [{ step, value: degradation.value, error: degradation.standardError ?? 0 }],
  );
  const colour = "#2a7f62";
  return svgFigure({
    height: 210,
    marginTop: 14,
    marginBottom: 24,
    x,
    y: {
      label: "ΔCE ± SE, nats ↓ better",
      labelAnchor: "center",
      labelArrow: "none",
      grid: true,
      inset: 8,
    },
    marks: [
      ...bands,
      ...(larger.degradation === null ? [] : levelMarks(larger.degradation.value, "the larger SAE", "start")),
      Plot.ruleX(measured, {
        x: "step",
        y1: ({ value, error }) => value - error,
        y2: ({ value, error }) => value + error,
        stroke: colour,
        strokeWidth: 2,
      }),
      Plot.line(measured, { x: "step", y: "value", stroke: colour, strokeOpacity: 0.5 }),
      Plot.dot(measured, { x: "step", y: "value", r: 3.5, fill: colour }),
    ],
  });
}

/** Runs of steps of one phase, in rows of the path. */
function phaseStretches({ plan: { steps } }: TrajectoryRun) {
  const stretches: { phase: Phase; from: number; to: number }[] = [];
  steps.forEach((step, k) => {
    const phase = phaseOf(step);
    const last = stretches.at(-1);
    if (last?.phase === phase) last.to = k + 1;
    else stretches.push({ phase, from: k, to: k + 1 });
  });
  return stretches;
}
