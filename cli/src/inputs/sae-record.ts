import type { ReconstructionMetrics } from "@saestitch/core";
import { finiteOrNull } from "../output/finite-or-null.ts";
import type { InputRecord } from "../output/write-run.ts";
import type { SaeInput } from "./provenance.ts";

/** One of the SAEs of a comparison, as documents have it. */
export interface SaeSummary {
  readonly location: string;
  readonly hash: string | null;
  readonly m: number;
  readonly d: number;
  readonly activation: string;
  readonly l0: number;
  readonly mse: number;
  readonly varianceExplained: number | null;
  readonly deadShare: number;
}

/** An SAE and how it does by itself on the sample. */
export function saeSummary(
  { sae, location, hash }: SaeInput,
  { l0, mse, varianceExplained, deadShare }: ReconstructionMetrics,
): SaeSummary {
  return {
    location,
    hash,
    m: sae.decoder.rows,
    d: sae.decoder.columns,
    activation: sae.activation.kind,
    l0,
    mse,
    varianceExplained: finiteOrNull(varianceExplained),
    deadShare,
  };
}

/** An SAE as the record of a run has it. */
export function inputRecord({ location, hash, files }: SaeInput): InputRecord {
  return { location, hash, files };
}
