import type { Sae } from "../sae/sae.ts";
import type { Swap } from "./exchange.ts";

/** One step of a plan. */
export interface PlanStep extends Swap {
  /** Why it stands where it does, for people: "novel", "family of 3", …. Has no effect. */
  readonly note?: string;
}

/** Which of two SAEs a plan is for; compared before it is run, where hashes are known. */
export interface PlannedSae {
  readonly location: string;
  /** One hash for all files of the SAE; null for one made in memory. */
  readonly hash: string | null;
  readonly latents: number;
}

/** The two SAEs of a plan. */
export interface PlannedPair {
  readonly smaller: PlannedSae;
  readonly larger: PlannedSae;
}

/**
 * A walk from a smaller SAE towards a larger one: what is swapped, in which order. A plain value, JSON in and out, that can be
 * written or changed by hand. Not all latents need to occur; none may occur twice.
 */
export interface Plan extends PlannedPair {
  readonly schema: "saestitch.plan/1";
  readonly steps: readonly PlanStep[];
}

/** What a plan says of `sae`, `hash` being that of its files. */
export function plannedSae(sae: Sae, hash: string | null = null): PlannedSae {
  const latents = sae.decoder.rows;
  return { location: sae.origin.location ?? `an SAE of ${latents} latents`, hash, latents };
}
