import type { Method, Refit, ResidualReading, RivalRow, Stitched, Verdict } from "@saestitch/core";
import { whose } from "@saestitch/core";
import type { SaeInput, SampleRecord } from "../inputs/provenance.ts";
import { finiteOrNull } from "../output/finite-or-null.ts";

/** Version of stitch.json; docs/stitch-output.md describes every field. */
export const STITCH_SCHEMA = "saestitch.stitch/1";

/** What turning a TopK SAE into its threshold form changed, on the rows that the threshold was found on. */
export interface ThresholdForm {
  readonly location: string;
  readonly k: number;
  readonly threshold: number;
  readonly tokens: number;
  readonly l0: { readonly before: number; readonly after: number };
  readonly mse: { readonly before: number; readonly after: number };
}

/** A stitched SAE, and what it was made from. */
export interface StitchRun {
  /** In the order of the pool: those that latents are chosen from first, then trained rivals, then those that boost others. */
  readonly saes: readonly SaeInput[];
  /** How many of `saes` latents are chosen from. */
  readonly candidates: number;
  /** Which of `saes` boost others, reading what they leave; absent when none does. */
  readonly residualOf?: ResidualReading;
  readonly sample: SampleRecord;
  readonly budget: { readonly latents: number | null; readonly l0: number | null };
  readonly thresholdForms: readonly ThresholdForm[];
  readonly stitched: Stitched;
}

/** A row of the comparison, as documents have it. */
export interface ComparisonRecord {
  readonly method: Method;
  /** Where a trained SAE lies, or one that boosts others; null for the rest. */
  readonly location: string | null;
  /** What was fitted on the selection half. */
  readonly refit: Refit;
  readonly latents: number;
  readonly l0: number;
  /** Per element, on the evaluation half; lower is better. */
  readonly mse: number;
  /** On the evaluation half; higher is better. */
  readonly varianceExplained: number | null;
  /** Activations times the length of their direction were dropped unless above this. */
  readonly floor: number;
  /** How its L0 was made equal: lowered, below (already less), or free (left as it is). */
  readonly matching: RivalRow["matching"];
  readonly isOnFront: boolean;
  /** Whether it is the SAE that was written. */
  readonly isResult: boolean;
  readonly notes: readonly string[];
}

/** One of the SAEs that took part. */
export interface SourceRecord {
  readonly location: string;
  readonly hash: string | null;
  readonly latents: number;
  readonly activation: string;
  /** What was made of the SAE in the files, where that is another SAE. */
  readonly variant?: string;
}

/** What `stitch --json` prints, without latents and curves. Numbers that are not defined are null. */
export interface StitchSummary {
  readonly schema: typeof STITCH_SCHEMA;
  /** Those that latents were chosen from. */
  readonly saes: readonly SourceRecord[];
  /** Those that were only compared with. */
  readonly rivals: readonly SourceRecord[];
  /** Those that boost others, and the location of the one whose residual each reads. */
  readonly boosted: readonly (SourceRecord & { readonly residualOf: string })[];
  readonly activations: { readonly location: string; readonly rows: number };
  readonly excludedTokens: readonly number[];
  readonly halves: Stitched["halves"];
  readonly budget: StitchRun["budget"];
  readonly thresholdForms: readonly ThresholdForm[];
  /** The SAE written. */
  readonly result: ComparisonRecord;
  /** L0 at which all are compared, on the tokens they were made on. */
  readonly commonL0: number;
  readonly comparison: readonly ComparisonRecord[];
  readonly omitted: Stitched["omitted"];
  readonly search: {
    readonly trials: readonly {
      /** SAE begun with; null for nothing. */
      readonly from: string | null;
      readonly floor: number;
      readonly latents: number;
      readonly l0: number;
      readonly objective: number;
    }[];
    /** Gains computed, and how many looking at every candidate at every pick would have taken. */
    readonly evaluations: number;
    readonly plainEvaluations: number;
    readonly entered: number;
    readonly left: number;
    readonly rounds: { readonly kept: number; readonly tried: number };
    /** Largest gain of a latent that was not chosen although there was room, in squared error. */
    readonly largestGainLeft: number | null;
    /** Exchanges judged by the error after the re-fit, and what they began with; null where directions are kept. */
    readonly refitExchange: {
      readonly name: string;
      readonly rounds: { readonly kept: number; readonly tried: number };
    } | null;
  };
}

/** What `stitch --json` prints. */
export interface StitchDocument extends StitchSummary {
  /** How the error of each method rises as weak activations are dropped. */
  readonly curves: readonly {
    readonly method: Method;
    readonly location: string | null;
    readonly points: readonly { readonly floor: number; readonly l0: number; readonly mse: number }[];
  }[];
  /** Where each latent of the result comes from, in its order, and what it does there on held-out documents. */
  readonly latents: readonly {
    readonly source: string;
    readonly index: number;
    readonly verdict: Verdict;
    readonly deltaMse: number | null;
    readonly standardError: number | null;
    readonly density: number | null;
  }[];
}

/** The document of a stitching without its latents and curves. */
export function stitchSummary(run: StitchRun): StitchSummary {
  const { stitched, saes, candidates, residualOf = [], sample, budget, thresholdForms } = run;
  const { comparison, halves, search, refitExchange, omitted } = stitched;
  const { report, trials } = search;
  return {
    schema: STITCH_SCHEMA,
    saes: saes.slice(0, candidates).map(saeRecord),
    rivals: saes.filter((_, s) => s >= candidates && residualOf[s] === undefined).map(saeRecord),
    boosted: saes.flatMap((input, s) => {
      const host = residualOf[s];
      return host === undefined ? [] : [{ ...saeRecord(input), residualOf: saes[host].location }];
    }),
    activations: { location: sample.location, rows: sample.rows },
    excludedTokens: sample.excludedTokens,
    halves,
    budget,
    thresholdForms,
    result: comparisonRecord(run, stitched.row),
    commonL0: comparison.l0,
    comparison: comparison.rows.map((_, i) => comparisonRecord(run, i)),
    omitted,
    search: {
      trials: trials.map(({ sae, ...trial }) => ({
        from: sae === null ? null : saes[sae].location,
        ...trial,
      })),
      evaluations: report.evaluations,
      plainEvaluations: report.plainEvaluations,
      entered: report.entered,
      left: report.left,
      rounds: report.rounds,
      largestGainLeft: finiteOrNull(report.largestGainLeft),
      refitExchange: refitExchange && { name: refitExchange.name, rounds: refitExchange.rounds },
    },
  };
}

/** The whole document: the summary, the curves of the picture, and where each latent of the result comes from. */
export function stitchDocument(run: StitchRun): StitchDocument {
  const { dictionary, pool, evidence, comparison } = run.stitched;
  return {
    ...stitchSummary(run),
    curves: comparison.curves.map(({ method, sae, points }) => ({
      method,
      location: sae === null ? null : run.saes[sae].location,
      points,
    })),
    latents: Array.from(dictionary.latents, (id, j) => {
      const { sae, latent } = whose(pool, id);
      return {
        source: run.saes[sae].location,
        index: latent,
        verdict: evidence.verdict[j],
        deltaMse: finiteOrNull(evidence.deltaMse[j]),
        standardError: finiteOrNull(evidence.standardError[j]),
        density: finiteOrNull(evidence.fired[j] / run.stitched.halves.evaluation.tokens),
      };
    }),
  };
}

function comparisonRecord({ stitched, saes }: StitchRun, i: number): ComparisonRecord {
  const { sae, ...row } = stitched.comparison.rows[i];
  return {
    ...row,
    location: sae === null ? null : saes[sae].location,
    varianceExplained: finiteOrNull(row.varianceExplained),
    isResult: i === stitched.row,
  };
}

function saeRecord({ location, hash, sae, variant }: SaeInput): SourceRecord {
  return {
    location,
    hash,
    latents: sae.decoder.rows,
    activation: sae.activation.kind,
    ...(variant !== undefined && { variant }),
  };
}
