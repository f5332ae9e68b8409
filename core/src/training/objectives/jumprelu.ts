import { allocateFloat32 } from "../../tensor/shared.ts";
import type { Architecture } from "../architecture.ts";
import { sumByLatent } from "../sum-by-latent.ts";
import type { TrainingState } from "../training-state.ts";
import type { Objective } from "./objective.ts";
import { warmUpShare } from "./steered-weight.ts";

/** Where thresholds begin, in units of the scaled input (Rajamanoharan et al.). */
const FIRST_THRESHOLD = 0.001;

/**
 * JumpReLU (Rajamanoharan et al., arXiv 2407.14435): latent j is active at its pre-activation p where p > θⱼ. Penalty
 * weight · (L0 / target − 1)². The jump has no derivative; within half a bandwidth ε of
 * the threshold, ∂activation/∂θ is taken as −θ/ε and ∂L0/∂θ as −1/ε, so near misses are entries too, with activation 0.
 */
export function jumpreluObjective(
  latents: number,
  { targetL0, sparsityWeight, bandwidth, sparsityWarmUpSteps }: Extract<Architecture, { kind: "jumprelu" }>,
): Objective {
  return {
    parameters: { threshold: FIRST_THRESHOLD },
    scalars: { sparsityWeight },
    prefixes: [latents],

    async fire(state, centred, kernels) {
      const { encoder, encoderBias } = state.parameters;
      const thresholds = thresholdsOf(state);
      const floor = allocateFloat32(latents);
      for (let j = 0; j < latents; j++) floor[j] = Math.max(0, thresholds[j] - bandwidth / 2);
      const near = await kernels.encode(centred, encoder.weights, encoderBias.weights.values, {
        kind: "threshold",
        threshold: floor,
      });
      const values = allocateFloat32(near.values.length);
      for (let entry = 0; entry < values.length; entry++)
        if (near.values[entry] > thresholds[near.indices[entry]]) values[entry] = near.values[entry];
      return { code: { ...near, values }, preActivations: near.values };
    },

    async slopes(state, { code, preActivations }, byActivation) {
      const thresholds = thresholdsOf(state);
      const active = code.values.reduce((count, value) => count + Number(value > 0), 0);
      const excess = active / code.rows / targetL0 - 1;
      const weight = state.scalars.sparsityWeight * warmUpShare(state.step + 1, sparsityWarmUpSteps);
      const byCount = (2 * weight * excess) / targetL0 / code.rows;
      const entries = allocateFloat32(byActivation.length);
      const byThreshold = new Float64Array(byActivation.length);
      for (let entry = 0; entry < entries.length; entry++) {
        const threshold = thresholds[code.indices[entry]];
        if (code.values[entry] > 0) entries[entry] = byActivation[entry];
        if (Math.abs(preActivations[entry] - threshold) < bandwidth / 2)
          byThreshold[entry] = -(threshold * byActivation[entry] + byCount) / bandwidth;
      }
      return {
        slopes: {
          entries,
          encoderBias: sumByLatent(code, entries),
          own: { threshold: sumByLatent(code, byThreshold) },
        },
        penalty: weight * excess ** 2,
      };
    },

    finish: (state) => ({
      activation: { kind: "jumprelu", threshold: thresholdsOf(state) },
      encoderBias: state.parameters.encoderBias.weights.values,
    }),
  };
}

/** [m]; steps may have taken one below zero, where it acts as zero. */
function thresholdsOf({ parameters }: TrainingState): Float32Array {
  const { values } = parameters.threshold.weights;
  const thresholds = allocateFloat32(values.length);
  for (let j = 0; j < values.length; j++) thresholds[j] = Math.max(0, values[j]);
  return thresholds;
}
