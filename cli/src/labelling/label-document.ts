import { type LatentColumns, type Verdict, verdicts } from "@saestitch/core";
import { type SaeSummary, saeSummary } from "../inputs/sae-record.ts";
import { finiteOrNull } from "../output/finite-or-null.ts";
import type { LabelRun } from "./label-run.ts";

/** Version of the document; docs/label-output.md describes every field. */
export const LABEL_SCHEMA = "saestitch.label/1";

type Range = { readonly lower: number; readonly upper: number };

/** What `label --json` prints, except for the columns of the latents. Numbers that are not defined are null. */
export interface LabelSummary {
  readonly schema: typeof LABEL_SCHEMA;
  readonly smaller: SaeSummary;
  readonly larger: SaeSummary;
  readonly activations: { readonly location: string; readonly rows: number };
  readonly tokens: number;
  readonly documents: number;
  readonly excluded: { readonly rows: number; readonly tokens: readonly number[] };
  readonly nonFinite: number;
  readonly options: {
    readonly gating: string;
    readonly bias: string;
    readonly falseDiscoveryRate: number;
    readonly seed: number;
  };
  readonly verdicts: Readonly<Record<Verdict, number>>;
  readonly predictor: PredictorSummary;
}

/** How well a low cosine foretells novelty. */
export interface PredictorSummary {
  readonly auc: number | null;
  readonly threshold: number | null;
  readonly truePositiveRate: number | null;
  readonly falsePositiveRate: number | null;
  readonly interval: { readonly auc: Range | null; readonly threshold: Range | null };
  readonly published: {
    readonly threshold: number;
    readonly truePositiveRate: number | null;
    readonly falsePositiveRate: number | null;
  } | null;
  readonly null: {
    readonly directions: number;
    readonly mean: number;
    readonly percentile95: number;
    readonly percentile99: number;
  };
}

/** The columns of the latents by their names, in the order they are stored; all of length m. */
export type LatentArrays = {
  readonly [Name in keyof LatentColumns]: LatentColumns[Name] extends readonly Verdict[]
    ? readonly Verdict[]
    : readonly (number | null)[];
};

/** The summary of a labelling, without its latents. */
export function labelSummary({ smaller, larger, sample, labels }: LabelRun): LabelSummary {
  const { best, published, auc, aucInterval, thresholdInterval, null: random } = labels.predictor;
  return {
    schema: LABEL_SCHEMA,
    smaller: saeSummary(smaller, labels.smaller),
    larger: saeSummary(larger, labels.larger),
    activations: { location: sample.location, rows: sample.rows },
    tokens: labels.tokens,
    documents: labels.documents,
    excluded: { rows: labels.excluded, tokens: sample.excludedTokens },
    nonFinite: labels.nonFinite,
    options: labels.options,
    verdicts: countVerdicts(labels.latents.verdict),
    predictor: {
      auc,
      threshold: best === null ? null : finiteOrNull(best.threshold),
      truePositiveRate: best?.truePositiveRate ?? null,
      falsePositiveRate: best?.falsePositiveRate ?? null,
      interval: { auc: aucInterval, threshold: thresholdInterval },
      published,
      null: random,
    },
  };
}

/** The document of `label --json`: the summary and the latents. */
export function labelDocument(run: LabelRun): LabelSummary & { readonly latents: LatentArrays } {
  return { ...labelSummary(run), latents: latentArrays(run.labels.latents) };
}

/** How many latents have each verdict. */
export function countVerdicts(verdict: readonly Verdict[]): Record<Verdict, number> {
  const counts = Object.fromEntries(verdicts.map((name) => [name, 0])) as Record<Verdict, number>;
  for (const name of verdict) counts[name]++;
  return counts;
}

/** The columns as plain arrays, null where a number is not defined. */
export function latentArrays(latents: LatentColumns): LatentArrays {
  return {
    verdict: latents.verdict,
    deltaMse: Array.from(latents.deltaMse, finiteOrNull),
    standardError: Array.from(latents.standardError, finiteOrNull),
    pValue: Array.from(latents.pValue, finiteOrNull),
    scale: Array.from(latents.scale, finiteOrNull),
    density: Array.from(latents.density, finiteOrNull),
    cosine: Array.from(latents.cosine, finiteOrNull),
    match: Array.from(latents.match),
    agreement: Array.from(latents.agreement, finiteOrNull),
    matchPrecision: Array.from(latents.matchPrecision, finiteOrNull),
    matchRecall: Array.from(latents.matchRecall, finiteOrNull),
  };
}
