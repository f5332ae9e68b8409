import * as Plot from "@observablehq/plot";
import { headingMarks, stackedFigures, svgFigure } from "../pictures/svg-figure.ts";
import { formatCount } from "../terminal/format-number.ts";
import { isCurveStep } from "./curve-steps.ts";
import type { LogEntry } from "./train-log.ts";
import type { TrainRun } from "./train-run.ts";

/** Told apart by people with any colour vision, on white; from the narrowest SAE to the widest. */
const colours = ["#2e6f9e", "#d1495b", "#66a182", "#e09f3e", "#8d6a9f", "#222222", "#a8a8a8", "#1fa2b8"];

/** The way of a training as an SVG document: error above, active latents below, against the tokens trained on. */
export function trainPicture({ run, log, residualOf }: TrainRun): string {
  const { trainees, data } = run;
  const { steps, architecture } = trainees[0].options;
  const widths = [...new Set(trainees.map(({ options }) => options.latents))].sort((a, b) => a - b);
  const colourOf = (latents: number) => colours[widths.indexOf(latents) % colours.length];
  const points = log.filter(({ step }) => isCurveStep(step, steps));
  const curves = (of: "mse" | "l0") =>
    trainees.map(({ options: { latents, seed } }) =>
      Plot.line(
        points.filter((entry) => entry.latents === latents && entry.seed === seed && isShown(entry, of)),
        { x: "tokens", y: of, stroke: colourOf(latents), strokeWidth: 1.6 },
      ),
    );
  const x = { domain: [0, steps * data.batchRows] as [number, number], tickFormat: compact, nice: false };
  const names = widths.map((latents) => ({
    name: `${formatCount(latents)} latents`,
    colour: colourOf(latents),
  }));
  const seeds = trainees.length / widths.length;
  const subtitle = [
    `${formatCount(steps * data.batchRows)} tokens in ${formatCount(steps)} steps of ${formatCount(data.batchRows)}`,
    ...(seeds === 1 ? [] : [`${seeds} seeds`]),
    ...(residualOf === null ? [] : ["on the residual of another SAE"]),
  ].join("  ·  ");
  return stackedFigures([
    svgFigure({
      height: 400,
      marginBottom: 30,
      x: { ...x, label: null },
      y: {
        label: "MSE per element of each batch ↓ better",
        labelAnchor: "center",
        labelArrow: "none",
        type: "log",
        tickFormat: "~g",
        grid: true,
        inset: 8,
      },
      marks: [...curves("mse"), ...headingMarks(`Training: ${architecture.kind}`, subtitle, names)],
    }),
    svgFigure({
      height: 210,
      marginTop: 14,
      x: { ...x, label: "tokens →", labelAnchor: "center" },
      y: {
        label: "L0, active latents",
        labelAnchor: "center",
        labelArrow: "none",
        grid: true,
        zero: true,
        insetTop: 8,
      },
      marks: [Plot.ruleY([0]), ...curves("l0")],
    }),
  ]);
}

/** 250K, 1.5M */
function compact(tokens: number): string {
  return tokens.toLocaleString("en-US", { notation: "compact" });
}

/** A logarithmic axis has no place for zero. */
function isShown(entry: LogEntry, of: "mse" | "l0"): boolean {
  const value = entry[of];
  return value !== null && (of === "l0" || value > 0);
}
