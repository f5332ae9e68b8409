import {
  decompose,
  directionRow,
  encode,
  type Kernels,
  type Matrix,
  reconstruct,
  row,
  rowRange,
  strongestParts,
  transposeCode,
} from "@saestitch/core";
import type { SaeInput } from "../inputs/provenance.ts";
import type { NearestLatent } from "./meta-latents.ts";
import type { SaeDirections } from "./meta-run.ts";

/** A latent that a meta-latent is active on. */
export interface StrongLatent {
  readonly latent: number;
  readonly strength: number;
}

/** A meta-latent that a latent is made of. */
export interface LatentPart {
  readonly metaLatent: number;
  readonly strength: number;
  /** How many latents of the larger SAE it is active on. */
  readonly latents: number;
  /** The others it is strongest on, strongest first. */
  readonly others: readonly StrongLatent[];
  readonly nearestLarger: NearestLatent;
  readonly nearestSmaller: NearestLatent | null;
}

/** A latent as a sum of meta-latents. */
export interface DecomposedLatent {
  readonly latent: number;
  /** 1 − ‖w − ŵ‖², with w its direction, of length 1. */
  readonly explained: number;
  /** Of w and ŵ; NaN when ŵ is zero. */
  readonly cosine: number;
  /** Strongest first. */
  readonly parts: readonly LatentPart[];
  /** Latents of the larger SAE with the closest directions. */
  readonly nearest: readonly NearestLatent[];
}

/**
 * Write latents of the larger SAE as sums of meta-latents. Throws UnsupportedError for a latent that it does not have, or that has no
 * direction; ShapeError when widths differ.
 */
export async function decomposeLatents(
  latents: readonly number[],
  {
    larger,
    meta,
    smaller,
  }: { readonly larger: SaeDirections; readonly meta: SaeInput; readonly smaller: SaeDirections | null },
  kernels: Kernels,
  { top }: { readonly top: number },
): Promise<DecomposedLatent[]> {
  const rows = latents.map((latent) => directionRow(larger.unit, latent));
  const code = await decompose(meta.sae, larger.unit.directions, kernels);
  const byMeta = transposeCode(code);

  const strongest = (metaLatent: number, exceptRow: number): StrongLatent[] =>
    strongestParts(byMeta, metaLatent, top + 1)
      .filter(({ index }) => index !== exceptRow)
      .slice(0, top)
      .map(({ index, strength }) => ({ latent: larger.unit.latents[index], strength }));
  const part = async (metaLatent: number, strength: number, exceptRow: number): Promise<LatentPart> => {
    const direction = rowRange(meta.sae.decoder, metaLatent, metaLatent + 1);
    const [nearestLarger] = await nearest(direction, larger, 1, kernels);
    const [nearestSmaller = null] = smaller === null ? [] : await nearest(direction, smaller, 1, kernels);
    return {
      metaLatent,
      strength,
      latents: byMeta.offsets[metaLatent + 1] - byMeta.offsets[metaLatent],
      others: strongest(metaLatent, exceptRow),
      nearestLarger,
      nearestSmaller,
    };
  };

  const decomposed: DecomposedLatent[] = [];
  for (const [at, latent] of latents.entries()) {
    const i = rows[at];
    const direction = rowRange(larger.unit.directions, i, i + 1);
    const parts: LatentPart[] = [];
    for (const { index, strength } of strongestParts(code, i)) parts.push(await part(index, strength, i));
    const close = await nearest(direction, larger, top + 1, kernels);
    const whole = await reconstruct(meta.sae, await encode(meta.sae, direction, kernels), kernels);
    decomposed.push({
      latent,
      ...likeness(row(direction, 0), row(whole, 0)),
      parts,
      nearest: close.filter((other) => other.latent !== latent).slice(0, top),
    });
  }
  return decomposed;
}

/** The latents of an SAE whose directions are closest to that of one row. */
async function nearest(
  direction: Matrix,
  { unit }: SaeDirections,
  count: number,
  kernels: Kernels,
): Promise<NearestLatent[]> {
  const { indices, cosines } = await kernels.match(direction, unit.directions, count);
  return Array.from(indices, (index, i) => ({ latent: unit.latents[index], cosine: cosines[i] }));
}

/** How alike a direction w and its reconstruction ŵ are. */
function likeness(w: Float32Array, whole: Float32Array): Pick<DecomposedLatent, "explained" | "cosine"> {
  let error = 0;
  let product = 0;
  let squares = 0;
  for (const [c, value] of w.entries()) {
    error += (value - whole[c]) ** 2;
    product += value * whole[c];
    squares += whole[c] ** 2;
  }
  return { explained: 1 - error, cosine: product / Math.sqrt(squares) };
}
