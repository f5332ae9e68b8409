import type { Selection } from "../kernels/kernels.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import type { Sae } from "./sae.ts";

/**
 * The rule by which `sae` picks the active latents from their pre-activations.
 *
 * Thresholds below zero become zero, since activations are ReLU'd. BatchTopK is read as it is at inference, by its
 * threshold; its batch mode is another rule, which a caller gives to `encode` instead of this one.
 */
export function selectionOf(sae: Sae): Selection {
  const { activation } = sae;
  const threshold = allocateFloat32(activation.kind === "topk" ? 0 : sae.encoder.rows);
  switch (activation.kind) {
    case "relu":
      return { kind: "threshold", threshold };
    case "jumprelu":
      for (let j = 0; j < threshold.length; j++) threshold[j] = Math.max(activation.threshold[j], 0);
      return { kind: "threshold", threshold };
    case "topk":
      return { kind: "top", count: activation.k };
    case "batchtopk":
      return { kind: "threshold", threshold: threshold.fill(Math.max(activation.threshold, 0)) };
    case "gated":
      return {
        kind: "threshold",
        threshold,
        scale: activation.magnitudeScale,
        offset: activation.magnitudeOffset,
      };
    default:
      return activation satisfies never;
  }
}
