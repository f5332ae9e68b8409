import type { Random } from "../src/linalg/random.ts";
import type { Activation, Normalization, Sae } from "../src/sae/sae.ts";
import { zeros } from "../src/tensor/matrix.ts";

/** The width of the SAEs that are drawn. */
export const drawnWidth = 16;

/** Numbers of a uniform distribution, the same bits everywhere: no function is used that engines round differently. */
export function uniform(random: Random, length: number, low: number, high: number): Float32Array {
  return Float32Array.from({ length }, () => low + (high - low) * random());
}

/** An SAE of `m` latents with the numbers of {@link uniform}, which says of which model it is. */
export function drawnSae(
  random: Random,
  m: number,
  activation: Activation,
  normalization: Normalization,
): Sae {
  const d = drawnWidth;
  const encoder = zeros(m, d);
  const decoder = zeros(m, d);
  encoder.values.set(uniform(random, m * d, -0.5, 0.5));
  decoder.values.set(uniform(random, m * d, -0.4, 0.4));
  return {
    encoder,
    encoderBias: uniform(random, m, -0.6, 0.4),
    decoder,
    decoderBias: uniform(random, d, -0.3, 0.3),
    inputBias: uniform(random, d, -0.3, 0.3),
    activation,
    normalization,
    folds: [],
    origin: {
      dialect: "none",
      modelName: "tiny",
      hook: "blocks.1.hook_resid_post",
      prependBos: true,
      contextSize: 64,
    },
  };
}

/** The activation of a gated SAE of `m` latents. */
export function drawnGate(random: Random, m: number): Activation {
  return {
    kind: "gated",
    magnitudeScale: uniform(random, m, 0.5, 1.5),
    magnitudeOffset: uniform(random, m, -0.4, 0.4),
  };
}

/** The activation of a JumpReLU SAE of `m` latents. */
export function drawnThresholds(random: Random, m: number): Activation {
  return { kind: "jumprelu", threshold: uniform(random, m, -0.1, 0.8) };
}
