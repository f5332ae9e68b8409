import {
  type Fold,
  type MeasuredReconstruction,
  type ReconstructionMetrics,
  type Sae,
  type VarianceFormula,
  varianceFormulas,
} from "@saestitch/core";
import type { HashedFile, SaeInput, SampleRecord } from "../inputs/provenance.ts";
import { type DirectionStatistics, directionStatistics } from "./direction-statistics.ts";

/** Version of the document; docs/label-output.md describes every field. */
export const INSPECT_SCHEMA = "saestitch.inspect/1";

/** A measured L0 further from the stated one than this factor is a sign that something is read wrongly. */
const L0_TOLERANCE = 1.5;

/** All that `inspect` says of an SAE, as `--json` prints it. */
export interface InspectDocument {
  readonly schema: typeof INSPECT_SCHEMA;
  readonly location: string;
  readonly dialect: string;
  readonly files: readonly HashedFile[];
  readonly hash: string | null;
  /** In the words of the file, null where it has none. */
  readonly architecture: string | null;
  readonly activation: Readonly<Record<string, string | number>>;
  readonly normalization: string;
  readonly d: number;
  readonly m: number;
  readonly modelName: string | null;
  readonly hook: string | null;
  readonly prependBos: boolean | null;
  readonly contextSize: number | null;
  readonly folds: readonly Fold[];
  readonly directions: DirectionStatistics;
  readonly statedL0: { readonly value: number; readonly source: string | null } | null;
  readonly warnings: readonly string[];
  readonly measured: MeasuredDocument | null;
}

/** What was measured on a sample. */
export interface MeasuredDocument {
  readonly activations: string;
  readonly rows: number;
  readonly tokens: number;
  readonly excluded: { readonly rows: number; readonly tokens: readonly number[] };
  readonly nonFinite: number;
  readonly activationScale: number | null;
  readonly l0: number;
  readonly mse: number;
  readonly varianceExplained: Readonly<Partial<Record<VarianceFormula, number | null>>>;
  readonly deadShare: number;
}

/** A measurement, the sample it was made on, and the formulas to show. */
export interface InspectedSample extends MeasuredReconstruction {
  readonly sample: SampleRecord;
  readonly formulas: readonly VarianceFormula[];
  readonly activationScale: number | null;
}

/** Gather what is known of an SAE. */
export function inspectDocument(
  { sae, location, files, hash }: SaeInput,
  inspected?: InspectedSample,
): InspectDocument {
  const { origin } = sae;
  const measured = inspected === undefined ? null : measuredDocument(inspected);
  return {
    schema: INSPECT_SCHEMA,
    location,
    dialect: origin.dialect,
    files,
    hash,
    architecture: origin.architecture ?? null,
    activation: activationSummary(sae),
    normalization: sae.normalization.kind,
    d: sae.decoder.columns,
    m: sae.decoder.rows,
    modelName: origin.modelName ?? null,
    hook: origin.hook ?? null,
    prependBos: origin.prependBos ?? null,
    contextSize: origin.contextSize ?? null,
    folds: sae.folds,
    directions: directionStatistics(sae),
    statedL0:
      origin.statedL0 === undefined
        ? null
        : { value: origin.statedL0, source: origin.statedL0Source ?? null },
    warnings: [...(origin.warnings ?? []), ...l0Warning(sae, measured?.l0)],
    measured,
  };
}

function activationSummary({ activation }: Sae): Record<string, string | number> {
  switch (activation.kind) {
    case "relu":
    case "gated":
    case "jumprelu":
      return { kind: activation.kind };
    case "topk":
      return { kind: activation.kind, k: activation.k };
    case "batchtopk":
      return { kind: activation.kind, threshold: activation.threshold };
    default:
      return activation satisfies never;
  }
}

function measuredDocument({ metrics, sample, formulas, ...rest }: InspectedSample): MeasuredDocument {
  return {
    activations: sample.location,
    rows: sample.rows,
    tokens: metrics.tokens,
    excluded: { rows: rest.excluded, tokens: sample.excludedTokens },
    nonFinite: rest.nonFinite,
    activationScale: rest.activationScale,
    l0: metrics.l0,
    mse: metrics.mse,
    varianceExplained: varianceBy(metrics, formulas),
    deadShare: metrics.deadShare,
  };
}

function varianceBy({ varianceExplainedBy }: ReconstructionMetrics, formulas: readonly VarianceFormula[]) {
  const chosen = varianceFormulas.filter((formula) => formulas.includes(formula));
  return Object.fromEntries(
    chosen.map((formula) => {
      const value = varianceExplainedBy[formula];
      return [formula, Number.isFinite(value) ? value : null];
    }),
  );
}

function l0Warning({ origin: { statedL0, statedL0Source } }: Sae, l0: number | undefined): string[] {
  if (l0 === undefined || statedL0 === undefined) return [];
  const factor = Math.max(l0 / statedL0, statedL0 / l0);
  if (factor <= L0_TOLERANCE) return [];
  return [
    `The measured L0 of ${l0.toPrecision(4)} is off the ${statedL0.toPrecision(4)} that ${statedL0Source ?? "the publisher"} states by a factor of ${factor.toPrecision(3)}. The activations may be of another hook or model, lack a scale (--activation-scale), or hold tokens that were left out in training (--exclude-tokens).`,
  ];
}
