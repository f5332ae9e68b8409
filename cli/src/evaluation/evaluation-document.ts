import type { MeasuredReconstruction, VarianceFormula } from "@saestitch/core";
import type { Estimate } from "@saestitch/models";
import type { SaeInput, SampleRecord } from "../inputs/provenance.ts";
import type { LossBase, LossFigures } from "../losses/loss-document.ts";
import { finiteOrNull } from "../output/finite-or-null.ts";
import type { MeasuredInsertion } from "./measure-insertion.ts";

/** An SAE and how it does on a sample. */
export interface EvaluatedSae extends MeasuredReconstruction {
  readonly input: SaeInput;
}

/** Losses with what is evaluated in the place of a model's activations. */
export interface EvaluationLoss extends LossBase {
  /** One per SAE, in their order. */
  readonly saes: readonly LossFigures[];
  /** With `versusHost`: its CE − CE of the first SAE, in nats per token; lower is better. */
  readonly insertion: (LossFigures & { readonly versusHost: Estimate | null }) | null;
}

/** What `evaluate --json` prints; docs/evaluate-output.md describes every field. Numbers that are not defined are null. */
export interface EvaluationDocument {
  readonly schema: "saestitch.evaluation/2";
  readonly activations: { readonly location: string; readonly rows: number };
  readonly tokens: number;
  readonly excluded: { readonly rows: number; readonly tokens: readonly number[] };
  readonly nonFinite: number;
  readonly varianceFormula: VarianceFormula;
  readonly saes: readonly {
    readonly location: string;
    readonly hash: string | null;
    readonly latents: number;
    readonly activation: string;
    /** Mean number of active latents per token. */
    readonly l0: number | null;
    /** Per element; lower is better. */
    readonly mse: number | null;
    /** By `varianceFormula`; higher is better. */
    readonly varianceExplained: number | null;
    readonly deadShare: number | null;
    /** Whether no other SAE of the list has at most as many latents, at most the L0 and at most the MSE, and less of one. */
    readonly undominated: boolean;
  }[];
  /** The first SAE with latents of another one inserted. */
  readonly insertion: {
    readonly from: { readonly location: string; readonly hash: string | null };
    readonly latents: readonly number[];
    readonly l0: number | null;
    readonly mse: number | null;
    readonly deltaMse: number | null;
    /** Null under another formula than `standard`. */
    readonly varianceExplained: number | null;
  } | null;
  readonly loss: EvaluationLoss | null;
}

/** What was evaluated, on what. */
export interface Evaluation {
  readonly evaluated: readonly EvaluatedSae[];
  readonly sample: SampleRecord;
  readonly varianceFormula: VarianceFormula;
  readonly insertion?: MeasuredInsertion | undefined;
  readonly loss?: EvaluationLoss | undefined;
}

/** The document of an evaluation. */
export function evaluationDocument({
  evaluated,
  sample,
  varianceFormula,
  insertion,
  loss,
}: Evaluation): EvaluationDocument {
  const [{ metrics, excluded, nonFinite }] = evaluated;
  const costs = evaluated.map(({ input, metrics: { l0, mse } }) => [input.sae.decoder.rows, l0, mse]);
  return {
    schema: "saestitch.evaluation/2",
    activations: { location: sample.location, rows: sample.rows },
    tokens: metrics.tokens,
    excluded: { rows: excluded, tokens: sample.excludedTokens },
    nonFinite,
    varianceFormula,
    saes: evaluated.map(({ input: { sae, location, hash }, metrics }, i) => ({
      location,
      hash,
      latents: sae.decoder.rows,
      activation: sae.activation.kind,
      l0: finiteOrNull(metrics.l0),
      mse: finiteOrNull(metrics.mse),
      varianceExplained: finiteOrNull(metrics.varianceExplainedBy[varianceFormula]),
      deadShare: finiteOrNull(metrics.deadShare),
      undominated: !costs.some((other) => dominates(other, costs[i])),
    })),
    insertion: insertion === undefined ? null : insertionRecord(insertion, varianceFormula),
    loss: loss ?? null,
  };
}

function insertionRecord(
  { donor, latents, l0, mse, deltaMse, varianceExplained }: MeasuredInsertion,
  formula: VarianceFormula,
): EvaluationDocument["insertion"] {
  return {
    from: { location: donor.location, hash: donor.hash },
    latents,
    l0: finiteOrNull(l0),
    mse: finiteOrNull(mse),
    deltaMse: finiteOrNull(deltaMse),
    varianceExplained: formula === "standard" ? finiteOrNull(varianceExplained) : null,
  };
}

function dominates(a: readonly number[], b: readonly number[]): boolean {
  return a.every((cost, i) => cost <= b[i]) && a.some((cost, i) => cost < b[i]);
}
