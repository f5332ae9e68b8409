import type {
  DirectionFit,
  Matches,
  MetaComparison,
  MetaRecipeName,
  MetaTraining,
  Sae,
  SparseCode,
  UnitDirections,
} from "@saestitch/core";
import type { SaeInput } from "../inputs/provenance.ts";

/** An SAE and its directions. */
export interface SaeDirections {
  readonly input: SaeInput;
  readonly unit: UnitDirections;
}

/** A trained meta-SAE, and all that was found out about it. */
export interface MetaRun {
  readonly larger: SaeDirections;
  readonly recipe: MetaRecipeName;
  readonly training: MetaTraining;
  /** Time spent on training the meta-SAE itself. */
  readonly seconds: number;
  readonly metaSae: Sae;
  /** [directions × meta-latents] */
  readonly code: SparseCode;
  readonly fit: DirectionFit;
  /** The same of a meta-SAE of as many random directions; null where it was not asked for. */
  readonly nullFit: DirectionFit | null;
  /** Of each meta-latent the nearest direction of the larger SAE. */
  readonly toLarger: Matches;
  readonly comparison: { readonly smaller: SaeDirections; readonly result: MetaComparison } | null;
}
