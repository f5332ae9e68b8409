import { type Random, seededRandom } from "../src/linalg/random.ts";
import type { Activation, Normalization, Sae } from "../src/sae/sae.ts";
import { drawnGate, drawnSae, drawnThresholds } from "./drawn-saes.ts";

/** An SAE as training leaves it. */
export interface TrainedExample {
  /** What its files are called in `fixtures/trained`. */
  readonly name: string;
  readonly sae: Sae;
}

const m = 40;

/** The examples of `fixtures/trained`, the same bits everywhere: each architecture, and what SAELens states otherwise. */
export function trainedExamples(): TrainedExample[] {
  return [
    example("standard", 11, () => ({ kind: "relu" })),
    example("jumprelu", 12, (random) => drawnThresholds(random, m)),
    example("topk", 13, () => ({ kind: "topk", k: 6 })),
    example("topk-layer-norm", 14, () => ({ kind: "topk", k: 6 }), { kind: "layer-norm" }),
    example("batchtopk", 15, () => ({ kind: "batchtopk", threshold: 0.7 })),
    example("gated", 16, (random) => drawnGate(random, m)),
    ownInputBias(example("gated-input-bias", 17, (random) => drawnGate(random, m))),
  ];
}

/** An SAE that subtracts its decoder bias from the input. */
function example(
  name: string,
  seed: number,
  activationOf: (random: Random) => Activation,
  normalization: Normalization = { kind: "none" },
): TrainedExample {
  const random = seededRandom(seed);
  const sae = drawnSae(random, m, activationOf(random), normalization);
  return { name, sae: { ...sae, inputBias: sae.decoderBias } };
}

/** The same with another input bias, which no layout can say. */
function ownInputBias({ name, sae }: TrainedExample): TrainedExample {
  return { name, sae: { ...sae, inputBias: sae.decoderBias.map((value) => -value / 2) } };
}
