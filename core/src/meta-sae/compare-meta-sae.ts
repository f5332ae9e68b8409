import type { Matches } from "../kernels/kernels.ts";
import { seededRandom } from "../linalg/random.ts";
import type { Sae } from "../sae/sae.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { subtractRow } from "../tensor/subtract-row.ts";
import { explainDirections } from "./decompose.ts";
import { type DirectionFit, directionFit } from "./direction-fit.ts";
import { matchingPursuit } from "./matching-pursuit.ts";
import type { MetaTraining } from "./meta-recipe.ts";
import { randomDirections } from "./random-directions.ts";
import { replaceByNearest, replaceDirections } from "./replace-directions.ts";
import { type MetaTrainingTools, trainMetaSae, tuneEncoder } from "./train-meta-sae.ts";
import type { UnitDirections } from "./unit-directions.ts";

/** Other directions in place of the meta-SAE's own: with its encoder as it is, and with one tuned to them. */
export interface Replacement {
  readonly before: DirectionFit;
  readonly after: DirectionFit;
}

/**
 * What a meta-SAE explains of the larger SAE's directions, beside what else could explain them. `learned` wins over sparse regression on
 * the smaller SAE when its variance explained is the higher one of `learned` and `pursuit.smaller`.
 */
export interface MetaComparison {
  /** Active meta-latents per direction: on average where a threshold decides, at most where matching pursuit does. */
  readonly k: number;
  /** The meta-SAE itself. */
  readonly learned: DirectionFit;
  /** A meta-SAE trained alike on as many random directions, on those: what meaningless directions give. */
  readonly randomDirections: DirectionFit;
  /** The meta-SAE's directions replaced by the nearest ones of the smaller SAE. */
  readonly nearest: Replacement;
  /** The same with random directions: the control. */
  readonly randomDecoder: Replacement;
  /**
   * Sparse regression by orthogonal matching pursuit, with positive strengths where nothing else is said. Every direction gets k,
   * where the meta-SAE gives some more and others fewer, which is its advantage; `own` shows what that, and the encoder, are worth.
   */
  readonly pursuit: {
    /** On the smaller SAE's directions. */
    readonly smaller: DirectionFit;
    /** The same with strengths of either sign. */
    readonly smallerAnySign: DirectionFit;
    /** On as many random directions as the smaller SAE has: the control. */
    readonly random: DirectionFit;
    /** On the meta-SAE's own directions, its decoder bias taken off first. */
    readonly own: DirectionFit;
  };
  /** Nearest direction of the smaller SAE (row of its {@link UnitDirections}) to each meta-latent, one each. */
  readonly toSmaller: Matches;
  /** Nearest direction of the larger SAE to each meta-latent, one each. */
  readonly toLarger: Matches;
}

/** Parts of a comparison, in the order in which they are worked on. */
export const comparisonParts = [
  "random directions",
  "nearest directions",
  "random decoder",
  "matching pursuit",
] as const;

/** How many times matching pursuit goes over all directions. */
const REGRESSIONS = 4;

/** Options of {@link compareMetaSae}. */
export interface CompareOptions extends MetaTrainingTools {
  /** Called as each part begins; `onStep` reports the steps of those that train. */
  readonly onPart?: (part: (typeof comparisonParts)[number]) => void;
  /** Called during matching pursuit with the directions regressed so far, of how many in all. */
  readonly onRegressed?: (directions: number, of: number) => void;
}

/**
 * What a meta-SAE trained by `training` explains of as many random directions as `directions` has, of the same width: the null of every
 * variance explained (Leask et al. give none; SAEBench neither).
 */
export async function explainRandomDirections(
  directions: Matrix,
  training: MetaTraining,
  tools: MetaTrainingTools,
): Promise<DirectionFit> {
  // Another seed than that of the initial directions, which would otherwise be among those drawn.
  const random = seededRandom(training.options.seed + 1);
  const drawn = randomDirections(directions.rows, directions.columns, random);
  const metaSae = await trainMetaSae({ location: "random directions", directions: drawn }, training, tools);
  return explainDirections(metaSae, drawn, tools.kernels);
}

/**
 * Compare `metaSae`, trained on the larger SAE's directions by `training`, with a smaller SAE's directions and with chance (Leask et al.,
 * arXiv 2502.04878, section on meta-latents and smaller SAEs; and the sparse regression that they expect to do as well).
 *
 * Trains three times more, so takes a good three times as long as the meta-SAE took. Throws ShapeError when widths differ, and as
 * {@link trainMetaSae} does.
 */
export async function compareMetaSae(
  metaSae: Sae,
  larger: UnitDirections,
  smaller: UnitDirections,
  training: MetaTraining,
  { onPart = () => {}, onRegressed = () => {}, ...tools }: CompareOptions,
): Promise<MetaComparison> {
  const { kernels } = tools;
  const { directions } = larger;
  const { k } = training.options.architecture;
  const toSmaller = await kernels.match(metaSae.decoder, smaller.directions, 1);
  const toLarger = await kernels.match(metaSae.decoder, directions, 1);
  const learned = await explainDirections(metaSae, directions, kernels);

  const replaced = async (replacement: Sae): Promise<Replacement> => ({
    before: await explainDirections(replacement, directions, kernels),
    after: await explainDirections(
      await tuneEncoder(replacement, larger, training, tools),
      directions,
      kernels,
    ),
  });
  let regressed = 0;
  const pursued = async (dictionary: Matrix, { strengths, bias }: Pursuit = {}): Promise<DirectionFit> => {
    const targets = bias === undefined ? directions : subtractRow(directions, bias);
    const code = await matchingPursuit(targets, dictionary, k, kernels, {
      ...(strengths && { strengths }),
      onRows: (rows) => onRegressed(regressed + rows, REGRESSIONS * directions.rows),
    });
    regressed += directions.rows;
    return directionFit(directions, { code, decoder: dictionary, ...(bias && { bias }) }, kernels);
  };
  const random = seededRandom(training.options.seed + 2);

  onPart("random directions");
  const ofRandomDirections = await explainRandomDirections(directions, training, tools);
  onPart("nearest directions");
  const nearest = await replaced(await replaceByNearest(metaSae, smaller.directions, kernels));
  onPart("random decoder");
  const { rows, columns } = metaSae.decoder;
  const randomDecoder = await replaced(replaceDirections(metaSae, randomDirections(rows, columns, random)));
  onPart("matching pursuit");
  return {
    k,
    learned,
    randomDirections: ofRandomDirections,
    nearest,
    randomDecoder,
    pursuit: {
      smaller: await pursued(smaller.directions),
      smallerAnySign: await pursued(smaller.directions, { strengths: "any" }),
      random: await pursued(randomDirections(smaller.directions.rows, columns, random)),
      own: await pursued(metaSae.decoder, { bias: metaSae.decoderBias }),
    },
    toSmaller,
    toLarger,
  };
}

interface Pursuit {
  readonly strengths?: "any";
  readonly bias?: Float32Array;
}
