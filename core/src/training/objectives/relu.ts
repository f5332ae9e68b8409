import { allocateFloat32 } from "../../tensor/shared.ts";
import type { Architecture } from "../architecture.ts";
import { sumByLatent } from "../sum-by-latent.ts";
import type { Objective } from "./objective.ts";
import { steer, steeringScalars, warmUpShare } from "./steered-weight.ts";

/** ReLU with an L1 penalty: weight · mean over tokens of Σ activation (directions have length 1). */
export function reluObjective(
  latents: number,
  { l1, l1WarmUpSteps, targetL0 }: Extract<Architecture, { kind: "relu" }>,
): Objective {
  const threshold = allocateFloat32(latents);
  return {
    parameters: {},
    scalars: steeringScalars(l1),
    prefixes: [latents],

    async fire({ parameters: { encoder, encoderBias } }, centred, kernels) {
      const selection = { kind: "threshold", threshold } as const;
      const code = await kernels.encode(centred, encoder.weights, encoderBias.weights.values, selection);
      return { code, preActivations: code.values };
    },

    async slopes({ scalars, step }, { code }, byActivation) {
      const weight = (scalars.sparsityWeight * warmUpShare(step + 1, l1WarmUpSteps)) / code.rows;
      const entries = byActivation.map((slope) => slope + weight);
      if (targetL0 !== undefined && step >= l1WarmUpSteps)
        steer(scalars, code.values.length / code.rows, targetL0);
      return {
        slopes: { entries, encoderBias: sumByLatent(code, entries), own: {} },
        penalty: weight * code.values.reduce((sum, value) => sum + value, 0),
      };
    },

    finish: ({ parameters: { encoderBias } }) => ({
      activation: { kind: "relu" },
      encoderBias: encoderBias.weights.values,
    }),
  };
}
