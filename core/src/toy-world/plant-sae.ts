import { rowsTimes } from "../linalg/norm.ts";
import { type Random, randomDirection } from "../linalg/random.ts";
import type { Activation, Sae } from "../sae/sae.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import { STRENGTH_MEAN_SQUARE, type Texts } from "./documents.ts";
import { featuresOf } from "./families.ts";
import type { LatentPlan, Mixture } from "./latent-plans.ts";

/** How the SAEs of a toy world choose their active latents. */
export type ToyArchitecture = "relu" | "topk" | "jumprelu";

/** What sets one planted SAE apart from another. */
export interface PlantOptions {
  readonly location: string;
  readonly architecture: ToyArchitecture;
  /** Active latents per token at most, for `topk`. */
  readonly k: number;
}

/** A latent fires where it reads more than this many standard deviations of interference … */
const THRESHOLD_DEVIATIONS = { relu: 2.8, topk: 2.8, jumprelu: 3.2 };
/** … but always from the first to the second of these shares of its response. */
const THRESHOLD_SHARES = [0.42, 0.6] as const;
const ENCODER_TURN = 0.05;

/**
 * Turn plans into an SAE whose codes come from encoding, not from the truth.
 *
 * `jumprelu` reads strengths as they are, above the threshold. `relu` and `topk` put the threshold into the bias, and a longer
 * encoder row makes good at strength 1 what the bias takes; `topk` keeps the `k` largest of those that are positive.
 */
export function plantSae(
  plans: readonly LatentPlan[],
  texts: Texts,
  random: Random,
  { location, architecture, k }: PlantOptions,
): Sae {
  const { directions, mean } = texts;
  const d = directions.columns;
  const encoder = zeros(plans.length, d);
  const decoder = zeros(plans.length, d);
  const encoderBias = allocateFloat32(plans.length);
  const threshold = allocateFloat32(plans.length);
  plans.forEach((plan, j) => {
    const direction = row(decoder, j);
    mix(plan.direction, directions, direction);
    turnBy(direction, plan.turn, random);
    const norm = lengthOf(direction);
    for (let c = 0; c < d; c++) direction[c] /= norm;
    const reading = row(encoder, j);
    mix(plan.reads, directions, reading);
    turnBy(reading, plan.turn === 0 ? 0 : ENCODER_TURN, random);
    const cut = Math.min(
      Math.max(
        THRESHOLD_DEVIATIONS[architecture] * interference(reading, plan, texts),
        THRESHOLD_SHARES[0] * plan.response,
      ),
      THRESHOLD_SHARES[1] * plan.response,
    );
    if (architecture === "jumprelu") {
      threshold[j] = cut;
      return;
    }
    const gain = plan.response / (plan.response - cut);
    for (let c = 0; c < d; c++) reading[c] *= gain;
    encoderBias[j] = -gain * cut;
  });
  const bias = allocateFloat32(d);
  bias.set(mean);
  return {
    encoder,
    encoderBias,
    decoder,
    decoderBias: bias,
    inputBias: bias.slice(),
    activation: activationOf(architecture, threshold, k),
    normalization: { kind: "none" },
    folds: [],
    origin: { dialect: "none", architecture, location, modelName: "toy world", hook: "toy" },
  };
}

/** Root mean square of what `reading` [d] makes of tokens on which the plan's own family does not occur. */
function interference(
  reading: Float32Array,
  plan: LatentPlan,
  { families, directions, noise }: Texts,
): number {
  const own = new Set(plan.reads.map(({ feature }) => feature));
  const along = rowsTimes(directions, reading);
  let variance = (noise * lengthOf(reading)) ** 2;
  for (const { rate, variants } of families) {
    if (featuresOf(variants).some((feature) => own.has(feature))) continue;
    for (const { share, generals, specific } of variants) {
      let read = specific ? specific.strength * along[specific.feature] : 0;
      for (const general of generals) read += along[general];
      variance += rate * share * STRENGTH_MEAN_SQUARE * read * read;
    }
  }
  return Math.sqrt(variance);
}

function activationOf(architecture: ToyArchitecture, threshold: Float32Array, k: number): Activation {
  switch (architecture) {
    case "relu":
      return { kind: "relu" };
    case "topk":
      return { kind: "topk", k };
    case "jumprelu":
      return { kind: "jumprelu", threshold };
    default:
      return architecture satisfies never;
  }
}

function mix(mixture: Mixture, directions: Matrix, out: Float32Array): void {
  for (const { feature, weight } of mixture) {
    const direction = row(directions, feature);
    for (let c = 0; c < out.length; c++) out[c] += weight * direction[c];
  }
}

/** Add a random vector of `tangent` times the length of `vector`. */
function turnBy(vector: Float32Array, tangent: number, random: Random): void {
  const aside = new Float32Array(vector.length);
  randomDirection(random, aside);
  const scale = tangent * lengthOf(vector);
  for (let c = 0; c < vector.length; c++) vector[c] += scale * aside[c];
}

function lengthOf(vector: Float32Array): number {
  let squares = 0;
  for (const value of vector) squares += value * value;
  return Math.sqrt(squares);
}
