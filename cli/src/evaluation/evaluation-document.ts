import type { MeasuredReconstruction, VarianceFormula } from "@saestitch/core";
import type { SaeInput, SampleRecord } from "../inputs/provenance.ts";
import { finiteOrNull } from "../output/finite-or-null.ts";

/** An SAE and how it does on a sample. */
export interface EvaluatedSae extends MeasuredReconstruction {
  readonly input: SaeInput;
}

/** What `evaluate --json` prints. Numbers that are not defined are null. */
export interface EvaluationDocument {
  readonly schema: "saestitch.evaluation/1";
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
}

/** The document of an evaluation. */
export function evaluationDocument(
  evaluated: readonly EvaluatedSae[],
  sample: SampleRecord,
  varianceFormula: VarianceFormula,
): EvaluationDocument {
  const [{ metrics, excluded, nonFinite }] = evaluated;
  const costs = evaluated.map(({ input, metrics: { l0, mse } }) => [input.sae.decoder.rows, l0, mse]);
  return {
    schema: "saestitch.evaluation/1",
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
  };
}

function dominates(a: readonly number[], b: readonly number[]): boolean {
  return a.every((cost, i) => cost <= b[i]) && a.some((cost, i) => cost < b[i]);
}
