import { normal, normalQuantile, seededRandom, zeros } from "@saestitch/core";

/** Standard normal numbers times `scale`, [rows × columns]. */
export function randomMatrix(random, rows, columns, scale = 1) {
  const matrix = zeros(rows, columns);
  for (let i = 0; i < matrix.values.length; i++) matrix.values[i] = scale * normal(random);
  return matrix;
}

/**
 * An untrained ReLU SAE of width `d` whose bias lets about `l0` of `latents` latents fire on standard normal activations,
 * so that sparse work is of a real SAE's size.
 */
export function syntheticSae(seed, d, latents, l0) {
  const random = seededRandom(seed);
  const directions = randomMatrix(random, latents, d, 1 / Math.sqrt(d));
  return {
    encoder: directions,
    encoderBias: new Float32Array(latents).fill(normalQuantile(l0 / latents)),
    decoder: copyOf(directions),
    decoderBias: new Float32Array(d),
    inputBias: new Float32Array(d),
    activation: { kind: "relu" },
    normalization: { kind: "none" },
    folds: [],
    origin: { dialect: "none", location: `synthetic ${latents} latents` },
  };
}

/** Encoder and decoder of a real SAE are two matrices, though here they hold the same numbers. */
function copyOf({ rows, columns, values }) {
  const copy = zeros(rows, columns);
  copy.values.set(values);
  return copy;
}
