import type { Kernels } from "../kernels/kernels.ts";
import { encode } from "../sae/encode.ts";
import type { Sae } from "../sae/sae.ts";
import type { Matrix } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { type DirectionFit, directionFit } from "./direction-fit.ts";

/** One entry of a row: a meta-latent of a direction, or a direction of a meta-latent. */
export interface Part {
  readonly index: number;
  readonly strength: number;
}

/**
 * Which meta-latents make up each of `directions` [n × d], and how strongly: [n × meta-latents]. By the threshold of the meta-SAE, which
 * on the directions it was trained on gives what BatchTopK gives with all of them in one batch (see `trainMetaSae`).
 *
 * Throws ShapeError when widths differ.
 */
export async function decompose(metaSae: Sae, directions: Matrix, kernels: Kernels): Promise<SparseCode> {
  return (await encode(metaSae, directions, kernels)).code;
}

/** How well `metaSae` explains `directions` [n × d]. */
export async function explainDirections(
  metaSae: Sae,
  directions: Matrix,
  kernels: Kernels,
): Promise<DirectionFit> {
  const code = await decompose(metaSae, directions, kernels);
  return directionFit(directions, { code, decoder: metaSae.decoder, bias: metaSae.decoderBias }, kernels);
}

/**
 * The entries of one row of a code, strongest first, equal ones by index; `count` at most. Of a decomposition: the meta-latents of a
 * direction. Of a transposed one (`transposeCode`): the directions of a meta-latent.
 */
export function strongestParts(
  { offsets, indices, values }: SparseCode,
  row: number,
  count = Infinity,
): Part[] {
  const parts: Part[] = [];
  for (let entry = offsets[row]; entry < offsets[row + 1]; entry++)
    parts.push({ index: indices[entry], strength: values[entry] });
  return parts.sort((a, b) => b.strength - a.strength || a.index - b.index).slice(0, count);
}
