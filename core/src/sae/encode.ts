import { ShapeError } from "../errors.ts";
import type { Kernels, Selection } from "../kernels/kernels.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import { allocateFloat32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { normalize } from "./normalize.ts";
import type { Sae } from "./sae.ts";
import { selectionOf } from "./selection.ts";

/** The code of a batch, and what is needed to write it back: x̂ = base + contributions · decoder. */
export interface Encoding {
  /** Activations in the SAE's own units. */
  readonly code: SparseCode;
  /**
   * The same entries in the units of the batch: activations times the scale of their token. The very same object as
   * `code` when the SAE does not scale. A token of scale 0 has contributions of 0.
   */
  readonly contributions: SparseCode;
  /** What the SAE writes when no latent is active, [b × d]. */
  readonly base: Matrix;
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
  return {
    code,
    contributions: outputScale === undefined ? code : scaleRows(code, outputScale),
    base: baseOf(sae, x.rows, outputScale, outputShift),
  };
}

/** x̂ [b × d], what `sae` makes of an encoded batch. */
export function reconstruct(sae: Sae, encoding: Encoding, kernels: Kernels): Promise<Matrix> {
  return kernels.decode(encoding.contributions, sae.decoder, encoding.base, 1);
}

/** x − x̂ [b × d], what `sae` fails to explain of the batch `x` that `encoding` was made from. */
export async function residual(sae: Sae, x: Matrix, encoding: Encoding, kernels: Kernels): Promise<Matrix> {
  const { contributions, base } = encoding;
  if (x.rows !== base.rows || x.columns !== base.columns) {
    throw new ShapeError(
      `Cannot take the residual of ${x.rows} × ${x.columns} activations: their encoding is of ${base.rows} × ${base.columns}`,
    );
  }
  const unexplained = zeros(x.rows, x.columns);
  for (let p = 0; p < x.values.length; p++) unexplained.values[p] = x.values[p] - base.values[p];
  return kernels.decode(contributions, sae.decoder, unexplained, -1);
}

function scaleRows(code: SparseCode, scale: Float32Array): SparseCode {
  const values = allocateFloat32(code.values.length);
  for (let i = 0; i < code.rows; i++)
    for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++)
      values[entry] = code.values[entry] * scale[i];
  return { ...code, values };
}

function baseOf(
  sae: Sae,
  rows: number,
  scale: Float32Array | undefined,
  shift: Float32Array | undefined,
): Matrix {
  const base = zeros(rows, sae.decoderBias.length);
  for (let i = 0; i < rows; i++) {
    const to = row(base, i);
    if (scale === undefined) to.set(sae.decoderBias);
    else for (let k = 0; k < to.length; k++) to[k] = scale[i] * sae.decoderBias[k] + (shift?.[i] ?? 0);
  }
  return base;
}
