import { UnsupportedError } from "../errors.ts";
import { zeros } from "../tensor/matrix.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import { recordFold } from "./fold.ts";
import type { Activation, Sae } from "./sae.ts";

type Gated = Extract<Activation, { kind: "gated" }>;

/**
 * The same SAE with `relu` or `jumprelu` for its activation, thresholds at least zero: codes stay as they are, up to the rounding of
 * weights. `batchtopk` has one threshold for all latents. With scale s and offset o, a gated latent fires at pre-activation z
 * with ReLU(z · s + o) where z > 0; since s is positive, that is a jump at max(o, 0) of the pre-activation z · s + o.
 *
 * Throws {@link UnsupportedError} for `topk`, where no threshold gives the same codes; `topkThreshold` finds one to use.
 */
export function toThresholdForm(sae: Sae): Sae {
  const { activation } = sae;
  switch (activation.kind) {
    case "relu":
      return sae;
    case "jumprelu":
      if (activation.threshold.every((value) => value >= 0)) return sae;
      return withThreshold(
        sae,
        (j) => activation.threshold[j],
        "thresholds below 0 set to 0, as activations are never negative",
      );
    case "batchtopk":
      return withThreshold(
        sae,
        () => activation.threshold,
        `the threshold ${activation.threshold} given to every latent`,
      );
    case "gated":
      return withThreshold(
        scaleEncoder(sae, activation),
        (j) => activation.magnitudeOffset[j],
        "encoder rows and biases multiplied by the magnitude scale, its offset added to the biases; the gate is open above a threshold, the offset or 0",
      );
    case "topk":
      throw new UnsupportedError(
        `Cannot give ${sae.origin.location ?? "this SAE"} a threshold for each latent: it keeps the ${activation.k} largest of each token, ` +
          "so whether a latent fires depends on the others; a threshold that fits on average can be found from a sample of activations",
      );
    default:
      return activation satisfies never;
  }
}

/** `sae` as `jumprelu`, with each threshold that is below zero set to zero. */
function withThreshold(sae: Sae, thresholdOf: (latent: number) => number, description: string): Sae {
  const threshold = allocateFloat32(sae.encoder.rows);
  for (let j = 0; j < threshold.length; j++) threshold[j] = Math.max(thresholdOf(j), 0);
  return recordFold({ ...sae, activation: { kind: "jumprelu", threshold } }, "threshold-form", description);
}

/** A gated SAE whose pre-activations are its magnitudes. */
function scaleEncoder(sae: Sae, { magnitudeScale, magnitudeOffset }: Gated): Sae {
  const { rows, columns, values } = sae.encoder;
  const encoder = zeros(rows, columns);
  const encoderBias = allocateFloat32(rows);
  for (let j = 0, at = 0; j < rows; j++) {
    for (let k = 0; k < columns; k++, at++) encoder.values[at] = values[at] * magnitudeScale[j];
    encoderBias[j] = sae.encoderBias[j] * magnitudeScale[j] + magnitudeOffset[j];
  }
  return { ...sae, encoder, encoderBias };
}
