import type { ActivationSource } from "../activations/activation-source.ts";
import { UnsupportedError } from "../errors.ts";
import { randomDirection, seededRandom, shuffle } from "../linalg/random.ts";
import type { Sae } from "../sae/sae.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { unionOfBases } from "./directions.ts";
import { toyDocuments } from "./documents.ts";
import { drawFamilies, featuresOf } from "./families.ts";
import { type LatentPlan, type PlantedLatent, planLarger, planSmaller } from "./latent-plans.ts";
import { plantSae, type ToyArchitecture } from "./plant-sae.ts";

/** Activations made of known features, and two SAEs planted by hand of which the larger knows more of them. */
export interface ToyWorld {
  /** Documents of correlated tokens; each begins with an excluded BOS row of very large norm. */
  readonly source: ActivationSource;
  readonly smaller: Sae;
  readonly larger: Sae;
  /** What each latent of `larger` was planted as. */
  readonly truth: readonly PlantedLatent[];
  /** The true features' directions, [features × d], unit rows. */
  readonly directions: Matrix;
}

/** Size and randomness of a toy world; the defaults are large enough that every latent's verdict is certain. */
export interface ToyWorldOptions {
  readonly seed?: number;
  /** Width of an activation, at least 64, or the features would drown in each other's interference. */
  readonly d?: number;
  /** Documents in the sample, of 27 rows on average. */
  readonly documents?: number;
  /** Activation of both SAEs; their directions do not depend on it. */
  readonly architecture?: ToyArchitecture;
  /** Standard deviation of the noise in each dimension, where features have strengths around 1. */
  readonly noise?: number;
}

/** About the mean plus one standard deviation of the active latents that ReLU gives. */
const SMALLER_K = 5;
const LARGER_K = 7;
const MEAN_NORM = 2;
const NARROWEST = 64;

/**
 * Make a toy world: hierarchical sparse features (a specific one occurs only together with its general ones) with Zipf-like
 * frequencies and log-normal strengths, and two SAEs. The smaller lacks some features; the larger holds copies, splits, absorbing
 * and novel latents in random order, as {@link ToyWorld.truth} tells.
 *
 * At the default size every novel latent, inserted alone into the smaller SAE, lowers the squared error and every other one raises
 * it, each beyond six standard errors. The decoder cosine foretells which, but not perfectly. Equal options give equal worlds, bit for bit. Throws {@link UnsupportedError} for a
 * `d` below 64 and for no documents.
 */
export function makeToyWorld({
  seed = 1,
  d = 128,
  documents = 1600,
  architecture = "relu",
  noise = 0.05,
}: ToyWorldOptions = {}): ToyWorld {
  if (!Number.isInteger(d) || d < NARROWEST)
    throw new UnsupportedError(
      `Cannot make a toy world of width ${d}: expected an integer of at least ${NARROWEST}`,
    );
  if (!Number.isInteger(documents) || documents < 1)
    throw new UnsupportedError(
      `Cannot make a toy world of ${documents} documents: expected a positive integer`,
    );
  const random = seededRandom(seed);
  const families = drawFamilies(random);
  const groupSizes = families.map(({ variants }) => featuresOf(variants).length);
  const directions = unionOfBases(groupSizes, d, random);
  const mean = new Float32Array(d);
  randomDirection(random, mean);
  for (let c = 0; c < d; c++) mean[c] *= MEAN_NORM;
  const texts = { seed, families, directions, mean, noise };
  const smallerPlans = shuffle(planSmaller(families), random);
  const largerPlans = shuffle(planLarger(families, random), random);
  const latentOf = new Map(smallerPlans.map((plan, i) => [plan.direction[0].feature, i]));
  return {
    source: toyDocuments(texts, documents),
    smaller: plantSae(smallerPlans, texts, random, {
      location: `toy world (seed ${seed}), smaller`,
      architecture,
      k: SMALLER_K,
    }),
    larger: plantSae(largerPlans, texts, random, {
      location: `toy world (seed ${seed}), larger`,
      architecture,
      k: LARGER_K,
    }),
    truth: largerPlans.map((plan) => truthOf(plan, latentOf)),
    directions,
  };
}

function truthOf({ kind, direction, description }: LatentPlan, latentOf: Map<number, number>): PlantedLatent {
  const features = direction.map(({ feature }) => feature);
  const sources = features.flatMap((feature) => latentOf.get(feature) ?? []);
  return { kind, features, sources, description };
}
