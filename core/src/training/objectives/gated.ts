import { allocateFloat32 } from "../../tensor/shared.ts";
import type { Architecture } from "../architecture.ts";
import { sumByLatent } from "../sum-by-latent.ts";
import type { Objective } from "./objective.ts";
import { steer, steeringScalars, warmUpShare } from "./steered-weight.ts";

/**
 * Gated (Rajamanoharan et al., arXiv 2404.16014). With z = u · encoderᵀ + encoderBias the gate, latent j is open where z > 0, at
 * ReLU(exp(rⱼ) · (z − encoderBiasⱼ) + magnitudeBiasⱼ). The gate learns by a loss of its own: ‖u − ReLU(z) · decoder‖² with the
 * decoder held fixed, and weight · Σ ReLU(z).
 */
export function gatedObjective(
  latents: number,
  { l1, l1WarmUpSteps, targetL0 }: Extract<Architecture, { kind: "gated" }>,
): Objective {
  const threshold = allocateFloat32(latents);
  return {
    parameters: { logScale: 0, magnitudeBias: 0 },
    scalars: steeringScalars(l1),
    prefixes: [latents],

    async fire({ parameters }, centred, kernels) {
      const gateBias = parameters.encoderBias.weights.values;
      const open = await kernels.encode(centred, parameters.encoder.weights, gateBias, {
        kind: "threshold",
        threshold,
      });
      const scale = parameters.logScale.weights.values.map(Math.exp);
      const offset = parameters.magnitudeBias.weights.values;
      const values = allocateFloat32(open.values.length);
      for (let entry = 0; entry < values.length; entry++) {
        const j = open.indices[entry];
        values[entry] = Math.max(0, scale[j] * (open.values[entry] - gateBias[j]) + offset[j]);
      }
      return { code: { ...open, values }, preActivations: open.values };
    },

    async slopes(
      { parameters, scalars, step },
      { code, preActivations },
      byActivation,
      { centred, kernels },
    ) {
      const gates = { ...code, values: preActivations };
      const missed = await kernels.decode(gates, parameters.decoder.weights, centred, -1);
      const projected = await kernels.project(gates, parameters.decoder.weights, missed);
      const weight = (scalars.sparsityWeight * warmUpShare(step + 1, l1WarmUpSteps)) / code.rows;
      const gateBias = parameters.encoderBias.weights.values;
      const scale = parameters.logScale.weights.values.map(Math.exp);

      const entries = allocateFloat32(byActivation.length);
      const byGate = new Float64Array(byActivation.length);
      const byMagnitude = new Float64Array(byActivation.length);
      const byLogScale = new Float64Array(byActivation.length);
      for (let entry = 0; entry < entries.length; entry++) {
        const j = code.indices[entry];
        byGate[entry] = weight - (2 / code.rows) * projected[entry];
        if (code.values[entry] > 0) byMagnitude[entry] = byActivation[entry];
        byLogScale[entry] = byMagnitude[entry] * scale[j] * (preActivations[entry] - gateBias[j]);
        entries[entry] = byGate[entry] + byMagnitude[entry] * scale[j];
      }
      if (targetL0 !== undefined && step >= l1WarmUpSteps) {
        const active = code.values.reduce((count, value) => count + Number(value > 0), 0);
        steer(scalars, active / code.rows, targetL0);
      }
      const gateError = missed.values.reduce((sum, value) => sum + value * value, 0) / code.rows;
      return {
        slopes: {
          entries,
          encoderBias: sumByLatent(code, byGate),
          own: { logScale: sumByLatent(code, byLogScale), magnitudeBias: sumByLatent(code, byMagnitude) },
        },
        penalty: gateError + weight * preActivations.reduce((sum, value) => sum + value, 0),
      };
    },

    finish({ parameters }) {
      const gateBias = parameters.encoderBias.weights.values;
      const magnitudeScale = allocateFloat32(latents);
      const magnitudeOffset = allocateFloat32(latents);
      for (let j = 0; j < latents; j++) {
        magnitudeScale[j] = Math.exp(parameters.logScale.weights.values[j]);
        magnitudeOffset[j] = parameters.magnitudeBias.weights.values[j] - magnitudeScale[j] * gateBias[j];
      }
      return { activation: { kind: "gated", magnitudeScale, magnitudeOffset }, encoderBias: gateBias };
    },
  };
}
