import type { SaeInput } from "../inputs/provenance.ts";
import { describeSae, type SaeDescription } from "../inputs/sae-record.ts";
import { finiteOrNull } from "../output/finite-or-null.ts";
import type { DecomposedLatent } from "./decompose-latents.ts";

/** Version of the document; docs/meta-output.md describes every field. */
export const DECOMPOSITION_SCHEMA = "saestitch.decomposition/1";

/** Decompositions of some latents, and what they were made from. */
export interface DecompositionRun {
  readonly larger: SaeInput;
  readonly meta: SaeInput;
  readonly smaller: SaeInput | null;
  readonly latents: readonly DecomposedLatent[];
}

/** What `decompose --json` prints. Numbers that are not defined are null. */
export interface DecompositionDocument {
  readonly schema: typeof DECOMPOSITION_SCHEMA;
  readonly larger: SaeDescription;
  readonly meta: SaeDescription;
  readonly smaller: SaeDescription | null;
  readonly latents: readonly (Omit<DecomposedLatent, "cosine"> & { readonly cosine: number | null })[];
}

/** The document of some decompositions. */
export function decompositionDocument({
  larger,
  meta,
  smaller,
  latents,
}: DecompositionRun): DecompositionDocument {
  return {
    schema: DECOMPOSITION_SCHEMA,
    larger: describeSae(larger),
    meta: describeSae(meta),
    smaller: smaller && describeSae(smaller),
    latents: latents.map(({ cosine, ...latent }) => ({ ...latent, cosine: finiteOrNull(cosine) })),
  };
}
