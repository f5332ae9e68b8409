import { sumByLatent } from "../sum-by-latent.ts";
import type { Objective } from "./objective.ts";

/**
 * TopK: the k largest pre-activations of each token, where positive (Gao et al., arXiv 2406.04093). No penalty; the derivative of
 * the choice is taken as zero.
 */
export function topkObjective(latents: number, k: number): Objective {
  return {
    parameters: {},
    scalars: {},
    prefixes: [latents],

    async fire({ parameters: { encoder, encoderBias } }, centred, kernels) {
      const selection = { kind: "top", count: k } as const;
      const code = await kernels.encode(centred, encoder.weights, encoderBias.weights.values, selection);
      return { code, preActivations: code.values };
    },

    slopes: chosenSlopes,

    finish: ({ parameters: { encoderBias } }) => ({
      activation: { kind: "topk", k },
      encoderBias: encoderBias.weights.values,
    }),
  };
}

/** The slopes where latents are chosen and then pass their pre-activation on as it is. */
export const chosenSlopes: Objective["slopes"] = async (_, { code }, byActivation) => ({
  slopes: { entries: byActivation, encoderBias: sumByLatent(code, byActivation), own: {} },
  penalty: 0,
});
