import {
  type DirectionFit,
  type Matches,
  PUBLISHED_COSINE_THRESHOLD,
  type Replacement,
} from "@saestitch/core";
import { describeSae, type SaeDescription } from "../inputs/sae-record.ts";
import { spread } from "../inspection/direction-statistics.ts";
import { finiteOrNull } from "../output/finite-or-null.ts";
import { activeCounts } from "./meta-latents.ts";
import type { MetaRun } from "./meta-run.ts";

/** Version of meta.json; docs/meta-output.md describes every field. */
export const META_SCHEMA = "saestitch.meta/1";

/** How well directions are explained. */
export interface FitRecord {
  readonly varianceExplained: number | null;
  readonly mse: number;
  readonly l0: number;
  readonly deadShare: number;
}

/** Before and after the encoder was tuned to other directions. */
export interface ReplacementRecord {
  readonly before: FitRecord;
  readonly after: FitRecord;
}

/** Highest cosines of the meta-latents to directions of an SAE. */
export interface CosineRecord {
  readonly min: number;
  readonly median: number;
  readonly max: number;
  /** Share of the meta-latents above the published threshold. */
  readonly aboveThreshold: number;
}

/** Which explains more of the larger SAE's directions. */
export type Winner = "meta-sae" | "sparse-regression" | "neither";

/** What else explains the directions. */
export interface ComparisonRecord {
  readonly nearest: ReplacementRecord;
  readonly randomDecoder: ReplacementRecord;
  readonly pursuit: Readonly<Record<"smaller" | "smallerAnySign" | "random" | "own", FitRecord>>;
  readonly winner: Winner;
  /** Variance explained by the meta-SAE less that by sparse regression on the smaller SAE's directions. */
  readonly advantage: number | null;
}

/** What `meta --json` prints. Numbers that are not defined are null. */
export interface MetaDocument {
  readonly schema: typeof META_SCHEMA;
  readonly larger: SaeDescription;
  readonly smaller: SaeDescription | null;
  /** Directions trained on, and the latents that have none. */
  readonly directions: number;
  readonly zeroLatents: readonly number[];
  readonly training: {
    readonly recipe: string;
    readonly latents: number;
    readonly k: number;
    readonly steps: number;
    readonly batchRows: number;
    readonly rate: number;
    readonly seed: number;
    readonly seconds: number;
  };
  readonly fit: FitRecord;
  readonly null: FitRecord | null;
  readonly deadMetaLatents: number;
  readonly activeCounts: readonly number[];
  readonly cosines: {
    readonly threshold: number;
    readonly larger: CosineRecord;
    readonly smaller: CosineRecord | null;
  };
  readonly comparison: ComparisonRecord | null;
}

/** The document of a meta-SAE. */
export function metaDocument(run: MetaRun): MetaDocument {
  const { larger, recipe, training, seconds, code, fit, nullFit, toLarger, comparison } = run;
  const { architecture, latents, steps, rate, seed } = training.options;
  return {
    schema: META_SCHEMA,
    larger: describeSae(larger.input),
    smaller: comparison && describeSae(comparison.smaller.input),
    directions: code.rows,
    zeroLatents: Array.from(larger.unit.zeroLatents),
    training: {
      recipe,
      latents,
      k: architecture.k,
      steps,
      batchRows: training.data.batchRows,
      rate,
      seed,
      seconds,
    },
    fit: fitRecord(fit),
    null: nullFit && fitRecord(nullFit),
    deadMetaLatents: Math.round(fit.deadShare * latents),
    activeCounts: activeCounts(code),
    cosines: {
      threshold: PUBLISHED_COSINE_THRESHOLD,
      larger: cosineRecord(toLarger),
      smaller: comparison && cosineRecord(comparison.result.toSmaller),
    },
    comparison: comparison && comparisonRecord(comparison.result, fit),
  };
}

function comparisonRecord(
  { nearest, randomDecoder, pursuit }: NonNullable<MetaRun["comparison"]>["result"],
  learned: DirectionFit,
): ComparisonRecord {
  const advantage = learned.varianceExplained - pursuit.smaller.varianceExplained;
  return {
    nearest: replacementRecord(nearest),
    randomDecoder: replacementRecord(randomDecoder),
    pursuit: {
      smaller: fitRecord(pursuit.smaller),
      smallerAnySign: fitRecord(pursuit.smallerAnySign),
      random: fitRecord(pursuit.random),
      own: fitRecord(pursuit.own),
    },
    winner: advantage > 0 ? "meta-sae" : advantage < 0 ? "sparse-regression" : "neither",
    advantage: finiteOrNull(advantage),
  };
}

function replacementRecord({ before, after }: Replacement): ReplacementRecord {
  return { before: fitRecord(before), after: fitRecord(after) };
}

function fitRecord({ varianceExplained, mse, l0, deadShare }: DirectionFit): FitRecord {
  return { varianceExplained: finiteOrNull(varianceExplained), mse, l0, deadShare };
}

function cosineRecord({ cosines }: Matches): CosineRecord {
  const above = cosines.filter((cosine) => cosine > PUBLISHED_COSINE_THRESHOLD).length;
  return { ...spread(Float64Array.from(cosines)), aboveThreshold: above / cosines.length };
}
