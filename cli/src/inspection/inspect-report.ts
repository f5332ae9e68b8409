import type { VarianceFormula } from "@saestitch/core";
import { formatCount, formatFixed, formatNumber, formatShare } from "../terminal/format-number.ts";
import type { Style } from "../terminal/style.ts";
import { indented, textTable } from "../terminal/text-table.ts";
import { wrap } from "../terminal/wrap.ts";
import type { Spread } from "./direction-statistics.ts";
import type { InspectDocument, MeasuredDocument } from "./inspect-document.ts";

/** How each formula for variance explained is written. */
const formulaTexts: Readonly<Record<VarianceFormula, string>> = {
  standard: "1 - Σ‖x - x̂‖² / Σ‖x - x̄‖²",
  "dictionary-learning": "1 - Σ var(x - x̂) / Σ var(x), batch mean",
  "saelens-legacy": "1 - ‖x - x̂‖² / ‖x - x̄‖², token mean",
  "saelens-about-zero": "1 - E‖x - x̂‖² / (q - (q/d)²), q = E‖x‖²",
};

type Line = readonly [name: string, value: string];

/** What `inspect` found, as text for a terminal of `width` columns. */
export function inspectReport(
  document: InspectDocument,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const sections = [
    `${style.bold(document.location)}\n${lines(describe(document), width)}`,
    `${style.bold("Directions")}\n${lines(directionLines(document), width)}`,
    ...(document.measured === null
      ? []
      : [
          `${style.bold("On activations")}  ${style.dim("↓ lower is better, ↑ higher")}\n${lines(measuredLines(document.measured, document), width)}`,
        ]),
    ...document.warnings.map((warning) =>
      wrap(`warning: ${warning}`, width).replace(/^warning:/, style.bold("warning:")),
    ),
  ];
  return `${sections.join("\n\n")}\n`;
}

function describe(document: InspectDocument): Line[] {
  const { activation, architecture, d, m, statedL0 } = document;
  const details = Object.entries(activation)
    .filter(([name]) => name !== "kind")
    .map(([name, value]) => `, ${name} ${value}`)
    .join("");
  const named =
    architecture === null || architecture === activation.kind ? "" : ` ("${architecture}" in the file)`;
  const stated = statedL0 && `${formatNumber(statedL0.value)} (${statedL0.source ?? "source unknown"})`;
  return [
    ["format", document.dialect],
    ["architecture", `${activation.kind}${details}${named}`],
    ["latents m", formatCount(m)],
    ["width d", formatCount(d)],
    ["encoder, decoder", `m × d = ${m} × ${d} each, a row per latent`],
    ["normalisation", document.normalization],
    ["model", document.modelName ?? "not stated"],
    ["hook", document.hook ?? "not stated"],
    ...(document.prependBos === null
      ? []
      : [["begins with BOS", document.prependBos ? "yes" : "no"] as const]),
    ...(document.contextSize === null
      ? []
      : [["context", `${formatCount(document.contextSize)} tokens`] as const]),
    ["stated L0", stated ?? "not stated"],
    ...(document.folds.length === 0 ? [["folds", "none, as in the file"] as const] : []),
    ...document.folds.map((fold) => ["fold", `${fold.kind}: ${fold.description}`] as const),
    ...(document.hash === null ? [] : [["hash", document.hash] as const]),
  ];
}

function directionLines({ directions: { decoderNorms, encoderDecoderCosines } }: InspectDocument): Line[] {
  const spread = ({ min, median, max }: Spread) =>
    `min ${formatFixed(min, 4)}   median ${formatFixed(median, 4)}   max ${formatFixed(max, 4)}`;
  return [
    ["decoder norms", spread(decoderNorms)],
    ["encoder-decoder cosine", spread(encoderDecoderCosines)],
  ];
}

function measuredLines(measured: MeasuredDocument, { m, statedL0 }: InspectDocument): Line[] {
  const { excluded, varianceExplained } = measured;
  const tokens = excluded.tokens.length === 0 ? "" : `: token ${excluded.tokens.join(", ")}`;
  return [
    ["activations", measured.activations],
    ["tokens used", `${formatCount(measured.tokens)} of ${formatCount(measured.rows)} rows`],
    [
      "left out",
      `${formatCount(excluded.rows)} rows${tokens}; ${formatCount(measured.nonFinite)} not finite`,
    ],
    ...(measured.activationScale === null
      ? []
      : [["activations times", formatNumber(measured.activationScale, 6)] as const]),
    [
      "L0",
      `${formatNumber(measured.l0)} active latents per token${statedL0 === null ? "" : `, ${formatNumber(statedL0.value)} stated`}`,
    ],
    ["MSE ↓", `${formatNumber(measured.mse)} per element: Σ‖x - x̂‖² / (n·d)`],
    ...Object.entries(varianceExplained).map(
      ([formula, value]): Line => [
        "variance explained ↑",
        `${formatFixed(value, 4)} ${formula}: ${formulaTexts[formula as VarianceFormula]}`,
      ],
    ),
    ["dead ↓", `${formatShare(measured.deadShare)} of ${formatCount(m)} latents never active on this sample`],
  ];
}

function lines(entries: readonly Line[], width: number): string {
  const longest = Math.max(...entries.map(([name]) => name.length));
  const body = entries.map(([name, value]) => {
    const [first, ...rest] = wrap(value, width - longest - 4).split("\n");
    return [[name, first], ...rest.map((line) => ["", line])];
  });
  const columns = [
    { heading: "", align: "left" },
    { heading: "", align: "left" },
  ] as const;
  return indented(textTable(columns, body.flat()));
}
