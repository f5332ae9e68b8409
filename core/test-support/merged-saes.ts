import { seededRandom } from "../src/linalg/random.ts";
import { type ChosenLatent, mergeSaes } from "../src/sae/merge.ts";
import type { Activation, Normalization, Sae } from "../src/sae/sae.ts";
import { drawnGate, drawnSae, drawnThresholds, drawnWidth, uniform } from "./drawn-saes.ts";

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

/** The examples of `fixtures/merged`, the same bits everywhere. */
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
  const relu: Activation = { kind: "relu" };
  const activations: [number, Activation][] = [
    [24, relu],
    [40, name === "relu" ? relu : drawnThresholds(random, 40)],
    [20, name === "relu" ? relu : drawnGate(random, 20)],
  ];
  const sources = activations.map(([m, activation]) => drawnSae(random, m, activation, normalization));
  const candidates = activations.flatMap(([m], sae) =>
    Array.from({ length: m }, (_, latent) => ({ sae, latent })),
  );
  const chosen = Array.from(
    { length: 30 },
    () => candidates.splice(Math.floor(random() * candidates.length), 1)[0],
  );
  const merged = mergeSaes(sources, chosen, { decoderBias: uniform(random, drawnWidth, -0.3, 0.3) });
  return { name, layouts, sources, chosen, merged };
}
