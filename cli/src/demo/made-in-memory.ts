import type { Sae } from "@saestitch/core";
import type { SaeInput } from "../inputs/provenance.ts";

/** An SAE that no file holds, as reports name it. */
export function madeInMemory(sae: Sae): SaeInput {
  const location = sae.origin.location ?? `${sae.decoder.rows} latents, made in memory`;
  return { sae, location, files: [], hash: null };
}
