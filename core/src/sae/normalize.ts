import { UnsupportedError } from "../errors.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import type { Sae } from "./sae.ts";

/** How what an SAE writes is brought back to the scale of the batch it read. */
export interface OutputAffine {
  /** [b]; what each row of the output is multiplied by. Absent when that is 1. */
  readonly outputScale: Float32Array | undefined;
  /** [b]; what is then added to each element of a row. Absent when that is 0. */
  readonly outputShift: Float32Array | undefined;
}

/** What an SAE reads of a batch, and the way back. */
export interface NormalizedInput extends OutputAffine {
  /** normalise(x) − inputBias, [b × d]; `x` itself when nothing changes it. */
  readonly input: Matrix;
}

/** Added to the standard deviation on the way in, and not on the way out. */
const layerNormEpsilon = 1e-5;

/**
 * Prepare `x` [b × d] for the encoder of `sae`: x̂ = outputScale · (f · decoder + decoderBias) + outputShift, row by row.
 *
 * A row of zeros (`unit-mean-square`) or of equal values (`layer-norm`) has no scale; the SAE then reads zeros, and its
 * output is the row itself. Throws {@link UnsupportedError} for `expected-average` without a factor.
 */
export function normalize(x: Matrix, sae: Sae): NormalizedInput {
  const { normalization, inputBias } = sae;
  if (normalization.kind === "none" && inputBias.every((value) => value === 0))
    return { input: x, outputScale: undefined, outputShift: undefined };

  const input = zeros(x.rows, x.columns);
  const outputScale = normalization.kind === "none" ? undefined : allocateFloat32(x.rows);
  const outputShift = normalization.kind === "layer-norm" ? allocateFloat32(x.rows) : undefined;
  const affineOf = rowNormalizer(sae);
  for (let i = 0; i < x.rows; i++) {
    const { center, scale, inverse } = affineOf(x, i);
    for (let k = 0, at = i * x.columns; k < x.columns; k++, at++) {
      input.values[at] = (x.values[at] - center) * scale - inputBias[k];
    }
    if (outputScale !== undefined) outputScale[i] = inverse;
    if (outputShift !== undefined) outputShift[i] = center;
  }
  return { input, outputScale, outputShift };
}

/** Only the way back for `x` [b × d]: what {@link normalize} gives beside the input. Throws as that does. */
export function outputAffine(x: Matrix, sae: Sae): OutputAffine {
  const { kind } = sae.normalization;
  if (kind === "none") return { outputScale: undefined, outputShift: undefined };
  const outputScale = allocateFloat32(x.rows);
  const outputShift = kind === "layer-norm" ? allocateFloat32(x.rows) : undefined;
  const affineOf = rowNormalizer(sae);
  for (let i = 0; i < x.rows; i++) {
    const { center, inverse } = affineOf(x, i);
    outputScale[i] = inverse;
    if (outputShift !== undefined) outputShift[i] = center;
  }
  return { outputScale, outputShift };
}

/** Of one row: it is normalised as `(x − center) · scale`, and undone as `x · inverse + center`. */
interface RowAffine {
  readonly center: number;
  readonly scale: number;
  readonly inverse: number;
}

const unchanged: RowAffine = { center: 0, scale: 1, inverse: 1 };

function rowNormalizer({ normalization, origin }: Sae): (x: Matrix, i: number) => RowAffine {
  switch (normalization.kind) {
    case "none":
      return () => unchanged;
    case "layer-norm":
      return (x, i) => layerNorm(row(x, i));
    case "unit-mean-square":
      return (x, i) => unitMeanSquare(row(x, i));
    case "expected-average": {
      const { factor } = normalization;
      if (factor === null) {
        throw new UnsupportedError(
          `Cannot encode with ${origin.location ?? "this SAE"}: it expects activations multiplied by the factor of its ` +
            "training (expected average norm), which its files do not hold. Give the factor, √d over the mean norm of an " +
            "activation in that training",
        );
      }
      const affine = { center: 0, scale: factor, inverse: 1 / factor };
      return () => affine;
    }
    default:
      return normalization satisfies never;
  }
}

function layerNorm(values: Float32Array): RowAffine {
  let sum = 0;
  for (const value of values) sum += value;
  const center = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - center) ** 2;
  const deviation = Math.sqrt(squares / (values.length - 1));
  return { center, scale: 1 / (deviation + layerNormEpsilon), inverse: deviation };
}

function unitMeanSquare(values: Float32Array): RowAffine {
  let squares = 0;
  for (const value of values) squares += value * value;
  const rootMeanSquare = Math.sqrt(squares / values.length);
  return { center: 0, scale: rootMeanSquare === 0 ? 0 : 1 / rootMeanSquare, inverse: rootMeanSquare };
}
