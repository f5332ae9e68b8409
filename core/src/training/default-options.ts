import { ShapeError } from "../errors.ts";
import type { Architecture } from "./architecture.ts";
import { defaultWindowRows } from "./shuffled-batches.ts";
import type { TrainingOptions } from "./training-options.ts";
import type { TrainingData } from "./training-run.ts";

/** Tokens after which a latent counts as dead at the latest (Gao et al.; dictionary_learning). */
const LONGEST_SILENCE = 10_000_000;

/**
 * Published settings for training `architecture`, with the lengths of phases in proportion to `steps`. `d` is the width of the
 * activations; everything can be replaced by what `given` holds.
 *
 * - Learning rate 2·10⁻⁴ / √(m / 2¹⁴) (Gao et al., arXiv 2406.04093, as dictionary_learning scales it); Adam's β₁ 0.9, β₂ 0.99
 *   (Bussmann et al., arXiv 2412.06410), and β₁ 0 for `jumprelu` and `gated` (Rajamanoharan et al.). With β₂ 0.999 the large first
 *   gradients, which others clip, slow down thousands of steps.
 * - Warm-up over 5 % of the steps, 1000 at most; linear decay over the last fifth.
 * - Auxiliary loss of weight 1/32 on as many dead latents as the power of two nearest to d / 2 (Gao et al.); dead after 1 % of all
 *   tokens, but no less than 20 batches, no more than 10 million tokens.
 */
export function defaultTrainingOptions(
  architecture: Architecture,
  { d, latents, steps, batchRows }: { d: number; latents: number; steps: number; batchRows: number },
  given: Partial<TrainingOptions> = {},
): TrainingOptions {
  const options: TrainingOptions = {
    architecture,
    latents,
    steps,
    seed: 0,
    rate: 2e-4 / Math.sqrt(latents / 2 ** 14),
    beta1: architecture.kind === "jumprelu" || architecture.kind === "gated" ? 0 : 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    warmUpSteps: Math.min(1000, Math.floor(steps / 20)),
    decaySteps: Math.floor(steps / 5),
    deadAfterTokens: Math.min(LONGEST_SILENCE, Math.max(20, Math.ceil(steps / 100)) * batchRows),
    ...("k" in architecture && {
      auxiliary: { weight: 1 / 32, count: 2 ** Math.max(0, Math.round(Math.log2(d / 2))) },
    }),
    ...given,
  };
  checkTrainingOptions(options);
  return options;
}

/** How activations of width `d` are read by default. */
export function defaultTrainingData(d: number, given: Partial<TrainingData> = {}): TrainingData {
  const batchRows = given.batchRows ?? 4096;
  return {
    batchRows,
    seed: 0,
    windowRows: defaultWindowRows(d, batchRows),
    scaleInput: true,
    center: "geometric-median",
    skipNonFinite: false,
    ...given,
  };
}

/** Throws {@link ShapeError} for options that no SAE can be trained with, naming the option and its value. */
export function checkTrainingOptions(options: TrainingOptions): void {
  const { architecture, latents, steps } = options;
  const wholeFrom = (least: number) => (value: number) => Number.isInteger(value) && value >= least;
  const fraction = (value: number) => value >= 0 && value < 1;
  const positive = (value: number) => value > 0 && Number.isFinite(value);
  check("latents", latents, "a whole number of at least 1", wholeFrom(1));
  check("steps", steps, "a whole number of at least 1", wholeFrom(1));
  check("rate", options.rate, "a positive number", positive);
  check("beta1", options.beta1, "at least 0 and below 1", fraction);
  check("beta2", options.beta2, "at least 0 and below 1", fraction);
  check("epsilon", options.epsilon, "a positive number", positive);
  check("warmUpSteps", options.warmUpSteps, "a whole number of at least 0", wholeFrom(0));
  check("decaySteps", options.decaySteps, "a whole number of at least 0", wholeFrom(0));
  checkArchitecture(architecture, latents);
}

function checkArchitecture(architecture: Architecture, latents: number): void {
  const positive = (value: number) => value > 0 && Number.isFinite(value);
  if ("k" in architecture)
    check(
      "k",
      architecture.k,
      `a whole number from 1 to less than the ${latents} latents`,
      (k) => Number.isInteger(k) && k >= 1 && k < latents,
    );
  if (architecture.kind === "matryoshka") checkPrefixes(architecture.prefixes, latents);
  if ("l1" in architecture) check("l1", architecture.l1, "a positive number", positive);
  if ("targetL0" in architecture && architecture.targetL0 !== undefined)
    check(
      "targetL0",
      architecture.targetL0,
      `above 0 and below the ${latents} latents`,
      (l0) => l0 > 0 && l0 < latents,
    );
  if (architecture.kind !== "jumprelu") return;
  check("sparsityWeight", architecture.sparsityWeight, "a positive number", positive);
  check("bandwidth", architecture.bandwidth, "a positive number", positive);
}

function checkPrefixes(prefixes: readonly number[], latents: number): void {
  const ascend = prefixes.every((end, p) => Number.isInteger(end) && end > (p === 0 ? 0 : prefixes[p - 1]));
  if (prefixes.length > 0 && ascend && prefixes[prefixes.length - 1] === latents) return;
  throw new ShapeError(
    `Cannot train with prefixes ${prefixes.join(", ")}, wanted whole numbers of latents that ascend to all ${latents}`,
  );
}

function check(name: string, value: number, wanted: string, accepts: (value: number) => boolean): void {
  if (!accepts(value)) throw new ShapeError(`Cannot train with ${name} ${value}, wanted ${wanted}`);
}
