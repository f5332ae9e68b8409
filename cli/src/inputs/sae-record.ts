import type { ReconstructionMetrics } from "@saestitch/core";
import { finiteOrNull } from "../output/finite-or-null.ts";
import type { InputRecord } from "../output/write-run.ts";
import type { SaeInput } from "./provenance.ts";

/** What documents say of an SAE from its files alone. */
export interface SaeDescription {
  readonly location: string;
  readonly hash: string | null;
  readonly m: number;
  readonly d: number;
  readonly activation: string;
}

/** One of the SAEs of a comparison, as documents have it: measured by itself on the sample. */
export interface SaeSummary extends SaeDescription {
  readonly l0: number;
  readonly mse: number;
  readonly varianceExplained: number | null;
  readonly deadShare: number;
}

/** An SAE from its files alone. */
export function describeSae({ sae, location, hash }: SaeInput): SaeDescription {
  return {
    location,
    hash,
    m: sae.decoder.rows,
    d: sae.decoder.columns,
    activation: sae.activation.kind,
  };
}

/** An SAE and how it does by itself on the sample. */
export function saeSummary(
  input: SaeInput,
  { l0, mse, varianceExplained, deadShare }: ReconstructionMetrics,
): SaeSummary {
  return {
    ...describeSae(input),
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
