import { ShapeError } from "../errors.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import { checkComparable } from "./comparable.ts";
import { foldInputBias } from "./fold.ts";
import type { Activation, Sae, SaeOrigin } from "./sae.ts";
import { toThresholdForm } from "./threshold-form.ts";

/** A latent of one of several SAEs. */
export interface ChosenLatent {
  /** Position of the SAE in the list. */
  readonly sae: number;
  readonly latent: number;
}

/** Options of {@link mergeSaes}. */
export interface MergeOptions {
  /** [d] */
  readonly decoderBias: Float32Array;
  /** [chosen × d], used in place of the chosen latents' own directions. */
  readonly decoder?: Matrix;
  /** What to call the result. */
  readonly location?: string;
}

/**
 * One ordinary SAE of latents chosen from several, in the order in which they are chosen: each fires on a token as it does in its
 * own SAE, up to the rounding of weights. Input biases are folded, so that nothing is subtracted from the input; the activation is
 * `relu` when that of all chosen is, else `jumprelu`; the normalisation is that of all.
 *
 * Throws {@link ShapeError} when no latent is chosen, one is chosen twice or does not exist, or sizes do not fit; UnsupportedError
 * for a latent of a `topk` SAE (see `topkThreshold`), and as {@link checkComparable} does.
 */
export function mergeSaes(
  saes: readonly Sae[],
  chosen: readonly ChosenLatent[],
  { decoderBias, decoder, location }: MergeOptions,
): Sae {
  checkComparable(saes);
  checkChosen(saes, chosen);
  const d = saes[0].encoder.columns;
  checkSizes(decoderBias, decoder, chosen.length, d);
  const used = new Set(chosen.map(({ sae }) => sae));
  const forms = saes.map((sae, s) => (used.has(s) ? toThresholdForm(foldInputBias(sae)) : sae));
  const encoder = zeros(chosen.length, d);
  const encoderBias = allocateFloat32(chosen.length);
  const directions = decoder ?? zeros(chosen.length, d);
  chosen.forEach(({ sae, latent }, j) => {
    row(encoder, j).set(row(forms[sae].encoder, latent));
    encoderBias[j] = forms[sae].encoderBias[latent];
    if (decoder === undefined) row(directions, j).set(row(saes[sae].decoder, latent));
  });
  return {
    encoder,
    encoderBias,
    decoder: directions,
    decoderBias,
    inputBias: allocateFloat32(d),
    activation: mergeActivations(forms, chosen),
    normalization: saes[0].normalization,
    folds: [
      {
        kind: "merge",
        description: `${chosen.length} latents of ${used.size} SAEs side by side, their input biases folded${decoder === undefined ? "" : ", their directions replaced"}`,
      },
    ],
    origin: mergeOrigins(saes, location),
  };
}

/** The activation of chosen latents of SAEs that are in threshold form. */
function mergeActivations(forms: readonly Sae[], chosen: readonly ChosenLatent[]): Activation {
  if (chosen.every(({ sae }) => forms[sae].activation.kind === "relu")) return { kind: "relu" };
  const threshold = allocateFloat32(chosen.length);
  chosen.forEach(({ sae, latent }, j) => {
    const { activation } = forms[sae];
    if (activation.kind === "jumprelu") threshold[j] = activation.threshold[latent];
  });
  return { kind: "jumprelu", threshold };
}

const commonKeys = [
  "modelName",
  "hook",
  "prependBos",
  "contextSize",
  "centredWrites",
  "excludeSpecialTokens",
  "seqposSlice",
  "headIndex",
  "datasetPath",
] as const;

/** What all SAEs say alike of where they belong, and their warnings. */
function mergeOrigins(saes: readonly Sae[], location: string | undefined): SaeOrigin {
  const origins = saes.map(({ origin }) => origin);
  const [first] = origins;
  const common = commonKeys.filter(
    (key) => first[key] !== undefined && origins.every((origin) => sameJson(origin[key], first[key])),
  );
  return {
    dialect: "none",
    ...(location !== undefined && { location }),
    ...Object.fromEntries(common.map((key) => [key, first[key]])),
    warnings: [...new Set(origins.flatMap(({ warnings = [] }) => warnings))],
  };
}

/** Whether two values of a config are equal, lists by their members. */
const sameJson = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

function checkChosen(saes: readonly Sae[], chosen: readonly ChosenLatent[]): void {
  if (chosen.length === 0)
    throw new ShapeError("Cannot merge SAEs: no latent is chosen, expected at least one");
  const taken = saes.map(({ encoder }) => new Uint8Array(encoder.rows));
  for (const { sae, latent } of chosen) {
    const state = taken[sae]?.[latent];
    if (state === undefined)
      throw new ShapeError(
        `Cannot merge SAEs: latent ${latent} of SAE ${sae} is chosen, but ${
          taken[sae] === undefined ? `there are ${saes.length} SAEs` : `it has ${taken[sae].length} latents`
        }, counted from 0`,
      );
    if (state === 1)
      throw new ShapeError(`Cannot merge SAEs: latent ${latent} of SAE ${sae} is chosen twice`);
    taken[sae][latent] = 1;
  }
}

function checkSizes(decoderBias: Float32Array, decoder: Matrix | undefined, k: number, d: number): void {
  if (decoderBias.length !== d)
    throw new ShapeError(
      `Cannot merge SAEs of width ${d} with a decoder bias of ${decoderBias.length} values`,
    );
  if (decoder === undefined || (decoder.rows === k && decoder.columns === d)) return;
  throw new ShapeError(
    `Cannot merge ${k} latents of width ${d} with directions of ${decoder.rows} × ${decoder.columns}`,
  );
}
