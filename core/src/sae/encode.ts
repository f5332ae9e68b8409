import { ShapeError } from "../errors.ts";
import type { Kernels, Selection } from "../kernels/kernels.ts";
import { type Matrix, zeros } from "../tensor/matrix.ts";
import { allocateFloat32, recycle } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { normalize, type OutputAffine } from "./normalize.ts";
import type { Sae } from "./sae.ts";
import { selectionOf } from "./selection.ts";

/**
 * What an SAE writes back of a batch: x̂ = contributions · decoder + outputScale · decoderBias + outputShift, row by row.
 */
export interface Contributions extends OutputAffine {
  /** Activations times the scale of their token, so in the units of the batch. A token of scale 0 has contributions of 0. */
  readonly contributions: SparseCode;
}

/** The code of a batch, and what it writes back. */
export interface Encoding extends Contributions {
  /** Activations in the SAE's own units. The very same object as `contributions` when the SAE does not scale. */
  readonly code: SparseCode;
}

/** Options of {@link encode}. */
export interface EncodeOptions {
  /** Which latents become active; the SAE's own rule by default. Worth giving when many batches are encoded. */
  readonly selection?: Selection;
}

/**
 * Encode `x` [b × d]. Throws {@link ShapeError} when `x` is not as wide as the SAE, and UnsupportedError for an SAE that
 * lacks the factor of its normalisation.
 */
export async function encode(
  sae: Sae,
  x: Matrix,
  kernels: Kernels,
  { selection = selectionOf(sae) }: EncodeOptions = {},
): Promise<Encoding> {
  if (x.columns !== sae.encoder.columns) {
    throw new ShapeError(
      `Cannot encode activations of width ${x.columns} with ${sae.origin.location ?? "an SAE"} of width ${sae.encoder.columns}`,
    );
  }
  const { input, outputScale, outputShift } = normalize(x, sae);
  const code = await kernels.encode(input, sae.encoder, sae.encoderBias, selection);
  if (input !== x) recycle(input.values);
  return {
    code,
    contributions: outputScale === undefined ? code : scaleRows(code, outputScale),
    outputScale,
    outputShift,
  };
}

/** x̂ [b × d], what `sae` makes of an encoded batch. */
export async function reconstruct(sae: Sae, encoded: Contributions, kernels: Kernels): Promise<Matrix> {
  const silent = zeros(encoded.contributions.rows, sae.decoderBias.length);
  addSilentOutput(silent, sae, encoded, 1);
  return kernels.decode(encoded.contributions, sae.decoder, silent, 1);
}

/** x − x̂ [b × d], what `sae` fails to explain of the batch `x` that `encoded` was made from. */
export async function residual(
  sae: Sae,
  x: Matrix,
  encoded: Contributions,
  kernels: Kernels,
): Promise<Matrix> {
  const { rows } = encoded.contributions;
  const d = sae.decoderBias.length;
  if (x.rows !== rows || x.columns !== d) {
    throw new ShapeError(
      `Cannot take the residual of ${x.rows} × ${x.columns} activations: their encoding is of ${rows} × ${d}`,
    );
  }
  const unexplained = zeros(rows, d);
  unexplained.values.set(x.values);
  addSilentOutput(unexplained, sae, encoded, -1);
  const result = await kernels.decode(encoded.contributions, sae.decoder, unexplained, -1);
  recycle(unexplained.values);
  return result;
}

function scaleRows(code: SparseCode, scale: Float32Array): SparseCode {
  const values = allocateFloat32(code.values.length);
  for (let i = 0; i < code.rows; i++)
    for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++)
      values[entry] = code.values[entry] * scale[i];
  return { ...code, values };
}

/** Add `sign` times what the SAE writes when no latent is active to `target` [b × d], in place. */
function addSilentOutput(
  { rows, columns, values }: Matrix,
  { decoderBias }: Sae,
  { outputScale, outputShift }: OutputAffine,
  sign: 1 | -1,
): void {
  for (let i = 0, at = 0; i < rows; i++) {
    const scale = sign * (outputScale?.[i] ?? 1);
    const shift = sign * (outputShift?.[i] ?? 0);
    for (let k = 0; k < columns; k++, at++) values[at] += scale * decoderBias[k] + shift;
  }
}
