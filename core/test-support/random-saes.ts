import { normal, type Random } from "../src/linalg/random.ts";
import type { Activation, Normalization, Sae } from "../src/sae/sae.ts";
import { type Matrix, zeros } from "../src/tensor/matrix.ts";

/** A matrix of standard normal numbers times `scale`. */
export function randomMatrix(random: Random, rows: number, columns: number, scale = 1): Matrix {
  const m = zeros(rows, columns);
  for (let i = 0; i < m.values.length; i++) m.values[i] = scale * normal(random);
  return m;
}

/** An untrained SAE of width `d` with `latents` latents; encoder and decoder are related, so that codes mean something. */
export function randomSae(
  random: Random,
  d: number,
  latents: number,
  {
    activation = { kind: "relu" },
    normalization = { kind: "none" },
  }: { readonly activation?: Activation; readonly normalization?: Normalization } = {},
): Sae {
  const decoder = randomMatrix(random, latents, d, 1 / Math.sqrt(d));
  const encoder = randomMatrix(random, latents, d, 0.3 / Math.sqrt(d));
  for (let i = 0; i < encoder.values.length; i++) encoder.values[i] += decoder.values[i];
  return {
    encoder,
    encoderBias: randomMatrix(random, 1, latents, 0.3).values,
    decoder,
    decoderBias: randomMatrix(random, 1, d, 0.2).values,
    inputBias: randomMatrix(random, 1, d, 0.2).values,
    activation,
    normalization,
    folds: [],
    origin: { dialect: "none" },
  };
}

/** One activation of each kind for `latents` latents. */
export function everyActivation(random: Random, latents: number): Activation[] {
  return [
    { kind: "relu" },
    { kind: "jumprelu", threshold: randomMatrix(random, 1, latents, 0.5).values },
    { kind: "topk", k: Math.max(1, Math.floor(latents / 4)) },
    { kind: "batchtopk", threshold: 0.4 },
    {
      kind: "gated",
      magnitudeScale: randomMatrix(random, 1, latents).values.map((value) => Math.exp(0.3 * value)),
      magnitudeOffset: randomMatrix(random, 1, latents, 0.2).values,
    },
  ];
}
