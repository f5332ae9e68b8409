import { type MergeOptions, mergeSaes } from "../sae/merge.ts";
import type { Sae } from "../sae/sae.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import type { Dictionary } from "./dictionary.ts";
import { type LatentPool, whose } from "./latent-pool.ts";
import { leastActivations } from "./restrict-code.ts";

/**
 * The dictionary as one ordinary SAE, its latents in the order of the dictionary. A floor becomes part of the thresholds: with
 * `mergeSaes`' activations f = pre-activation, f ‖w‖ exceeds it exactly where the pre-activation exceeds floor / ‖w‖.
 *
 * Throws as {@link mergeSaes} does.
 */
export function mergeDictionary(
  pool: LatentPool,
  { latents, directions, bias, floor }: Dictionary,
  { location }: Pick<MergeOptions, "location"> = {},
): Sae {
  const merged = mergeSaes(
    pool.saes,
    Array.from(latents, (id) => whose(pool, id)),
    { decoder: directions, decoderBias: bias, ...(location !== undefined && { location }) },
  );
  if (floor === 0) return merged;
  const threshold = allocateFloat32(latents.length);
  const { activation } = merged;
  leastActivations(pool, latents, floor).forEach((least, j) => {
    threshold[j] = activation.kind === "jumprelu" ? Math.max(activation.threshold[j], least) : least;
  });
  return { ...merged, activation: { kind: "jumprelu", threshold } };
}
