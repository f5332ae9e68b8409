import { UnsupportedError } from "../../errors.ts";
import { largestOfBatch } from "./largest-of-batch.ts";
import type { Objective } from "./objective.ts";
import { chosenSlopes } from "./topk.ts";

/** Share of a batch in the running mean of the smallest activation kept (as in the code of Matryoshka SAEs). */
const THRESHOLD_RATE = 0.01;

/**
 * BatchTopK: the k · b largest pre-activations of a batch of b tokens (Bussmann et al., arXiv 2412.06410), and its Matryoshka form,
 * where every prefix of the latents reconstructs alone and all count alike (arXiv 2503.17547). At inference a latent is active
 * above one threshold: the mean over batches of the smallest activation kept, of late batches mostly.
 */
export function batchTopkObjective(
  latents: number,
  k: number,
  prefixes: readonly number[] = [latents],
): Objective {
  return {
    parameters: {},
    scalars: { leastKept: 0, threshold: 0, thresholdWeight: 0 },
    prefixes,

    async fire({ parameters: { encoder, encoderBias }, scalars }, centred, kernels) {
      const { code, least } = await largestOfBatch(
        centred,
        encoder.weights,
        encoderBias.weights.values,
        k * centred.rows,
        kernels,
        scalars.leastKept,
      );
      scalars.leastKept = least;
      if (code.values.length > 0) {
        scalars.threshold += THRESHOLD_RATE * (least - scalars.threshold);
        scalars.thresholdWeight += THRESHOLD_RATE * (1 - scalars.thresholdWeight);
      }
      return { code, preActivations: code.values };
    },

    slopes: chosenSlopes,

    finish({ parameters: { encoderBias }, scalars: { threshold, thresholdWeight }, step }) {
      // The running mean began at zero, of which this takes the share out.
      if (thresholdWeight === 0)
        throw new UnsupportedError(
          `Cannot give a BatchTopK SAE its threshold after ${step} steps: no latent has been active yet; train it first`,
        );
      return {
        activation: { kind: "batchtopk", threshold: threshold / thresholdWeight },
        encoderBias: encoderBias.weights.values,
      };
    },
  };
}
