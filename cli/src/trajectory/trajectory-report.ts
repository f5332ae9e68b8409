import { formatLossChange, formatRecovered, lossLegend, lossTable } from "../losses/loss-table.ts";
import { formatCount, formatFixed, formatNumber, formatScientific } from "../terminal/format-number.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { textTable } from "../terminal/text-table.ts";
import { wrap } from "../terminal/wrap.ts";
import { type TrajectoryRun, type TrajectorySummary, trajectorySummary } from "./trajectory-document.ts";
import type { TrajectoryLosses } from "./trajectory-losses.ts";

const biasMeanings = {
  host: "the decoder bias stays the smaller SAE's",
  interpolate: "the decoder bias goes to the larger SAE's step by step",
  refit: "the decoder bias is re-fitted after every step",
  donor: "the decoder bias is the larger SAE's from the first step on",
} as const;

/** A trajectory as text for a terminal of `width` columns. */
export function trajectoryReport(
  run: TrajectoryRun,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const summary = trajectorySummary(run);
  const { activations, tokens } = summary;
  const sample = wrap(`${activations.location}\n${formatCount(tokens)} tokens`, width - 2);
  return [section("Sample", "", sample, style), ...waySections(summary, { width, style })].join("\n");
}

/** The way, whether it ends where it should, and whether the error falls all along it. */
export function waySections(
  summary: TrajectorySummary,
  { width, style }: { readonly width: number; readonly style: Style },
): string[] {
  return [
    section(
      "The way",
      `${formatCount(summary.steps)} steps; ${biasMeanings[summary.bias]}`,
      wayTable(summary),
      style,
    ),
    section("Does it end where it should?", "", endTable(summary), style),
    section("Does the error fall at every step?", "", wrap(monotoneLines(summary), width - 2), style),
    ...(summary.losses === null ? [] : [lossSection(summary.losses, { width, style })]),
  ];
}

/** What the model loses along the way, and with what that is compared. */
function lossSection(
  losses: TrajectoryLosses,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const steps = textTable(
    [
      { heading: "step", align: "right" },
      { heading: "latents", align: "right" },
      { heading: "L0", align: "right" },
      { heading: "MSE ↓", align: "right" },
      { heading: "CE ↓", align: "right" },
      { heading: "ΔCE ± SE ↓", align: "right" },
      { heading: "zero ↑", align: "right" },
    ],
    losses.steps.map(({ step, latents, l0, mse, crossEntropy, degradation, recoveredVsZero }) => [
      formatCount(step),
      formatCount(latents),
      formatNumber(l0, 4),
      formatNumber(mse, 4),
      formatFixed(crossEntropy, 4),
      formatLossChange(degradation),
      formatRecovered(recoveredVsZero),
    ]),
  );
  const compared = lossTable(losses, [{ name: "larger SAE", figures: losses.larger }]);
  const legend = lossLegend(losses).map((line) => wrap(line, width - 2));
  return section(
    "Loss along the way",
    "with the stitched SAE in the place of the activations; nats",
    [steps, "", compared, ...legend].join("\n"),
    style,
  );
}

function wayTable({ milestones, larger }: TrajectorySummary): string {
  return textTable(
    [
      { heading: "", align: "left" },
      { heading: "step", align: "right" },
      { heading: "latents", align: "right" },
      { heading: "L0", align: "right" },
      { heading: "MSE ↓", align: "right" },
      { heading: "var. expl. ↑", align: "right" },
    ],
    [
      ...milestones.map(({ name, step, latents, l0, mse, varianceExplained }) => [
        name,
        formatCount(step),
        formatCount(latents),
        formatNumber(l0, 4),
        formatNumber(mse, 4),
        formatFixed(varianceExplained, 4),
      ]),
      [
        "the larger SAE",
        "",
        formatCount(larger.m),
        formatNumber(larger.l0, 4),
        formatNumber(larger.mse, 4),
        formatFixed(larger.varianceExplained, 4),
      ],
    ],
  );
}

function endTable({ ends: { start, end } }: TrajectorySummary): string {
  const rows = [
    ["start, smaller's bias", start] as const,
    ...(end === null ? [] : [["end, larger's bias", end] as const]),
  ].map(([name, { reached, measured, relativeDifference }]) => [
    name,
    formatNumber(reached, 7),
    formatNumber(measured, 7),
    formatScientific(relativeDifference, 2),
  ]);
  const table = textTable(
    [
      { heading: "", align: "left" },
      { heading: "MSE reached", align: "right" },
      { heading: "SAE's MSE", align: "right" },
      { heading: "relative diff.", align: "right" },
    ],
    rows,
  );
  return end === null
    ? `${table}\nthe plan does not move every latent, so it does not end at the larger SAE`
    : table;
}

function monotoneLines({ monotone, milestones, steps }: TrajectorySummary): string {
  if (monotone.holds) return "Yes, at every step.";
  const way = Math.abs(milestones[0].mse - milestones.at(-1)!.mse);
  return (
    `No: it rises at ${formatCount(monotone.rises)} of ${formatCount(steps)} steps, together by ${formatScientific(monotone.total, 3)} ` +
    `(the whole way is ${formatScientific(way, 3)}), most at step ${monotone.largestStep}, by ${formatScientific(monotone.largest, 3)}.`
  );
}
