import { DataError, ShapeError, UnsupportedError } from "../errors.ts";
import { rowNormsSquared, rowsTimes } from "../linalg/norm.ts";
import { type Matrix, zeros } from "../tensor/matrix.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import type { Activation, Fold, Sae } from "./sae.ts";

/** Options of the folds a reader makes on tensors it has just read. */
export interface FoldOptions {
  /** Overwrite the matrices of the given SAE, which is then not to be used, instead of copying them. */
  readonly inPlace?: boolean;
}

/**
 * The same SAE with nothing subtracted from its input: `encoderBias − encoder · inputBias`, summed in float64. Exact for
 * every activation and normalisation, since the input bias is subtracted last.
 */
export function foldInputBias(sae: Sae): Sae {
  if (sae.inputBias.every((value) => value === 0)) return sae;
  const shift = rowsTimes(sae.encoder, sae.inputBias);
  return recordFold(
    {
      ...sae,
      encoderBias: mapVector(sae.encoderBias, (value, j) => value - shift[j]),
      inputBias: allocateFloat32(sae.inputBias.length),
    },
    "input-bias",
    "encoder bias −= encoder · input bias; nothing is subtracted from the input any more",
  );
}

/**
 * The same SAE with directions of length 1: with n the length of a latent's direction, direction / n, and encoder row,
 * biases and threshold · n, so that activations become n times what they were. A direction of length 0 stays.
 *
 * The latents of a `topk` SAE compete by the size of their pre-activations, so multiplying them by different n would
 * change who wins: then all directions must have one length already, else {@link UnsupportedError}. A `batchtopk` SAE
 * becomes `jumprelu`, since its latents no longer share one threshold.
 */
export function foldDecoderNorms(sae: Sae, { inPlace = false }: FoldOptions = {}): Sae {
  const norms = rowNormsSquared(sae.decoder).map(Math.sqrt);
  const encoderScale = norms.map((norm) => norm || 1);
  if (sae.activation.kind === "topk") encoderScale.fill(commonNorm(norms, sae));
  return recordFold(
    {
      ...scaleLatents(sae, encoderScale, unitScale(norms), inPlace),
      activation: scaleActivation(sae.activation, encoderScale),
    },
    "decoder-norm",
    "directions divided by their length; encoder rows, encoder biases and thresholds multiplied by it",
  );
}

/**
 * The SAE that picks its active latents by pre-activation times length of direction, from tensors that do not say so
 * yet (SAELens: `rescale_acts_by_decoder_norm`): its activations are multiplied by that length, and its directions are
 * divided by it. A latent whose direction has length 0 is never active. For `topk` and `batchtopk`, where the choice
 * depends on it and k or the threshold is stated for the multiplied pre-activations.
 */
export function foldSelectionByNorm(sae: Sae, { inPlace = false }: FoldOptions = {}): Sae {
  if (sae.activation.kind !== "topk" && sae.activation.kind !== "batchtopk") {
    throw new UnsupportedError(
      `Cannot select by length of direction with the activation ${sae.activation.kind}, expected topk or batchtopk`,
    );
  }
  const norms = rowNormsSquared(sae.decoder).map(Math.sqrt);
  return recordFold(
    scaleLatents(sae, norms, unitScale(norms), inPlace),
    "decoder-norm",
    "directions divided by their length; encoder rows and encoder biases multiplied by it, as the file's selection asks",
  );
}

/**
 * The same SAE for activations as they are, of one that expects them multiplied by `factor` (`expected-average`): encoder
 * rows · factor, directions, decoder bias and input bias / factor; encoder biases and thresholds stay. `factor` defaults
 * to the one in the file. Throws {@link UnsupportedError} when there is nothing to fold or no factor, {@link DataError}
 * when the factor is not positive.
 */
export function foldInputScale(sae: Sae, factor?: number): Sae {
  if (sae.normalization.kind !== "expected-average") {
    throw new UnsupportedError(
      `Cannot fold an input factor into an SAE with normalisation ${sae.normalization.kind}, expected expected-average`,
    );
  }
  const by = factor ?? sae.normalization.factor;
  if (by === null)
    throw new UnsupportedError(
      "Cannot fold the input factor: the SAE's files do not hold it, so it must be given",
    );
  if (!(by > 0 && Number.isFinite(by)))
    throw new DataError(`Cannot fold the input factor ${by}, expected a positive finite number`);
  return recordFold(
    {
      ...sae,
      encoder: scaleRows(sae.encoder, () => by),
      decoder: scaleRows(sae.decoder, () => 1 / by),
      decoderBias: mapVector(sae.decoderBias, (value) => value / by),
      inputBias: mapVector(sae.inputBias, (value) => value / by),
      normalization: { kind: "none" },
    },
    "input-scale",
    `encoder multiplied by ${by}; decoder, decoder bias and input bias divided by it`,
  );
}

/**
 * The same SAE without a separate factor per latent between activation and direction (SAELens: `scaling_factor`, from
 * fine-tuning): direction j · scale[j]. Throws {@link ShapeError} unless there is one factor per latent.
 */
export function foldOutputScale(sae: Sae, scale: Float32Array, { inPlace = false }: FoldOptions = {}): Sae {
  if (scale.length !== sae.decoder.rows)
    throw new ShapeError(`Cannot scale ${sae.decoder.rows} directions by ${scale.length} factors`);
  return recordFold(
    { ...sae, decoder: scaleRows(sae.decoder, (j) => scale[j], inPlace) },
    "output-scale",
    "directions multiplied by the fine-tuned factor of their latent",
  );
}

/** `sae` with one more line in its history. */
export function recordFold(sae: Sae, kind: Fold["kind"], description: string): Sae {
  return { ...sae, folds: [...sae.folds, { kind, description }] };
}

function scaleLatents(
  sae: Sae,
  encoderScale: Float64Array,
  decoderScale: Float64Array,
  inPlace: boolean,
): Sae {
  return {
    ...sae,
    encoder: scaleRows(sae.encoder, (j) => encoderScale[j], inPlace),
    encoderBias: mapVector(sae.encoderBias, (value, j) => value * encoderScale[j]),
    decoder: scaleRows(sae.decoder, (j) => decoderScale[j], inPlace),
  };
}

function scaleActivation(activation: Activation, scale: Float64Array): Activation {
  switch (activation.kind) {
    case "relu":
    case "topk":
      return activation;
    case "jumprelu":
      return { kind: "jumprelu", threshold: mapVector(activation.threshold, (value, j) => value * scale[j]) };
    case "batchtopk": {
      const threshold = allocateFloat32(scale.length).fill(activation.threshold);
      return { kind: "jumprelu", threshold: mapVector(threshold, (value, j) => value * scale[j]) };
    }
    case "gated":
      return {
        ...activation,
        magnitudeOffset: mapVector(activation.magnitudeOffset, (value, j) => value * scale[j]),
      };
    default:
      return activation satisfies never;
  }
}

function unitScale(norms: Float64Array): Float64Array {
  return norms.map((norm) => (norm === 0 ? 1 : 1 / norm));
}

/** The one length that all directions but those of length 0 have, up to rounding. */
function commonNorm(norms: Float64Array, sae: Sae): number {
  let least = Infinity;
  let most = 0;
  for (const norm of norms) {
    if (norm === 0) continue;
    least = Math.min(least, norm);
    most = Math.max(most, norm);
  }
  if (most === 0) return 1;
  if (most - least > 1e-6 * most) {
    throw new UnsupportedError(
      `Cannot make the directions of ${sae.origin.location ?? "this SAE"} unit length: it is topk, their lengths go from ` +
        `${least} to ${most}, and scaling latents differently would change which of them win`,
    );
  }
  return most;
}

function scaleRows(from: Matrix, scale: (row: number) => number, inPlace = false): Matrix {
  const to = inPlace ? from : zeros(from.rows, from.columns);
  for (let j = 0; j < from.rows; j++) {
    const by = scale(j);
    for (let p = j * from.columns; p < (j + 1) * from.columns; p++) to.values[p] = from.values[p] * by;
  }
  return to;
}

function mapVector(from: Float32Array, map: (value: number, index: number) => number): Float32Array {
  const to = allocateFloat32(from.length);
  for (let j = 0; j < from.length; j++) to[j] = map(from[j], j);
  return to;
}
