import { seededRandom } from "../src/linalg/random.ts";
import { type ChosenLatent, mergeSaes } from "../src/sae/merge.ts";
import type { Activation, Normalization, Sae } from "../src/sae/sae.ts";
import { zeros } from "../src/tensor/matrix.ts";

/** SAEs, some of their latents, and the SAE that is merged of them. */
export interface MergedExample {
  /** What its files are called in `fixtures/merged`. */
  readonly name: string;
  /** Layouts it is written in. */
  readonly layouts: readonly string[];
  readonly sources: readonly Sae[];
  readonly chosen: readonly ChosenLatent[];
  readonly merged: Sae;
}

const d = 16;

/** The examples of `fixtures/merged`, the same bits everywhere: no function is used that engines round differently. */
export function mergedExamples(): MergedExample[] {
  return [
    example("mixed", 1, { kind: "none" }, ["saelens", "gemma-scope", "dictionary-learning"]),
    example("relu", 2, { kind: "none" }, ["saelens", "gemma-scope", "dictionary-learning"]),
    example("layer-norm", 3, { kind: "layer-norm" }, ["saelens"]),
    example("unit-mean-square", 4, { kind: "unit-mean-square" }, ["saelens"]),
  ];
}

/** A relu SAE of 24 latents, and unless all are to be relu a jumprelu one of 40 and a gated one of 20, merged into 30 latents. */
function example(
  name: string,
  seed: number,
  normalization: Normalization,
  layouts: readonly string[],
): MergedExample {
  const random = seededRandom(seed);
  const uniform = (length: number, low: number, high: number) =>
    Float32Array.from({ length }, () => low + (high - low) * random());
  const activations: [number, Activation][] = [
    [24, { kind: "relu" }],
    [40, name === "relu" ? { kind: "relu" } : { kind: "jumprelu", threshold: uniform(40, -0.1, 0.8) }],
    [
      20,
      name === "relu"
        ? { kind: "relu" }
        : {
            kind: "gated",
            magnitudeScale: uniform(20, 0.5, 1.5),
            magnitudeOffset: uniform(20, -0.4, 0.4),
          },
    ],
  ];
  const sources = activations.map(([m, activation]): Sae => {
    const encoder = zeros(m, d);
    const decoder = zeros(m, d);
    encoder.values.set(uniform(m * d, -0.5, 0.5));
    decoder.values.set(uniform(m * d, -0.4, 0.4));
    return {
      encoder,
      encoderBias: uniform(m, -0.6, 0.4),
      decoder,
      decoderBias: uniform(d, -0.3, 0.3),
      inputBias: uniform(d, -0.3, 0.3),
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
  });
  const candidates = activations.flatMap(([m], sae) =>
    Array.from({ length: m }, (_, latent) => ({ sae, latent })),
  );
  const chosen = Array.from(
    { length: 30 },
    () => candidates.splice(Math.floor(random() * candidates.length), 1)[0],
  );
  const merged = mergeSaes(sources, chosen, { decoderBias: uniform(d, -0.3, 0.3) });
  return { name, layouts, sources, chosen, merged };
}
