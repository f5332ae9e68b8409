import type { ActivationSource } from "../activations/activation-source.ts";
import { copyToMemory } from "../activations/copy-to-memory.ts";
import { UnsupportedError } from "../errors.ts";
import { randomDirection, seededRandom } from "../linalg/random.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { unionOfBases } from "./directions.ts";
import { documentStart, toyDocuments } from "./documents.ts";
import type { Family } from "./families.ts";

/** Activations made of known features, some of them far more frequent than others, for SAEs to be trained on. */
export interface TrainingWorld {
  /** Documents to train on; each begins with an excluded BOS row of very large norm. */
  readonly training: ActivationSource;
  /** Other documents of the same world, to measure on. */
  readonly sample: ActivationSource;
  /** The true features' directions, [features × d], unit rows, the most frequent first. */
  readonly directions: Matrix;
  /** Mean share of the tokens on which each feature is present, descending. */
  readonly rates: Float64Array;
}

/** Size and randomness of a training world. */
export interface TrainingWorldOptions {
  readonly seed?: number;
  /** Width of an activation. */
  readonly d?: number;
  readonly features?: number;
  /** Documents to train on and to measure on, of 27 rows on average. */
  readonly documents?: { readonly training: number; readonly sample: number };
  /** Standard deviation of the noise in each dimension, where features have strengths around 1. */
  readonly noise?: number;
}

/** Share of the tokens that have the most frequent feature. */
const TOP_RATE = 0.2;
/** Rate of the feature of rank r, from 0: TOP_RATE · ((r + RANK_SHIFT) / RANK_SHIFT)^−EXPONENT, Zipf's law as Mandelbrot has it. */
const EXPONENT = 0.7;
const RANK_SHIFT = 2;
const MEAN_NORM = 2;

/**
 * Make a world of independent features whose frequencies fall by Zipf's law, so that an SAE of few latents has to choose: at the
 * default size a token has 3.8 of the 160 features on average, the first of them 22 times as often as the last.
 *
 * Both samples are kept in memory. Equal options give equal worlds, bit for bit. Throws {@link UnsupportedError} for numbers that
 * are not positive integers.
 */
export async function makeTrainingWorld({
  seed = 1,
  d = 64,
  features = 160,
  documents = { training: 4000, sample: 800 },
  noise = 0.05,
}: TrainingWorldOptions = {}): Promise<TrainingWorld> {
  for (const [name, value] of Object.entries({ width: d, features, ...documents })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new UnsupportedError(
      `Cannot make a training world with ${value} for ${name}: expected a positive integer`,
    );
  }
  const random = seededRandom(seed);
  const families = Array.from(
    { length: features },
    (_, rank): Family => ({
      rate: TOP_RATE * ((rank + RANK_SHIFT) / RANK_SHIFT) ** -EXPONENT,
      variants: [{ share: 1, generals: [rank] }],
    }),
  );
  const directions = unionOfBases(
    families.map(() => 1),
    d,
    random,
  );
  const mean = new Float32Array(d);
  randomDirection(random, mean);
  for (let c = 0; c < d; c++) mean[c] *= MEAN_NORM;
  const all = toyDocuments(
    { seed, families, directions, mean, noise },
    documents.training + documents.sample,
  );
  const end = documentStart(documents.training);
  const location = (name: string, count: number) =>
    `training world (seed ${seed}), ${count} documents ${name}`;
  return {
    training: await copyToMemory(all, { end, location: location("to train on", documents.training) }),
    sample: await copyToMemory(all, { start: end, location: location("held out", documents.sample) }),
    directions,
    rates: Float64Array.from(families, ({ rate }) => rate),
  };
}
