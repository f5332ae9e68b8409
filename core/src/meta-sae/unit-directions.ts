import type { ActivationSource } from "../activations/activation-source.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { DataError, UnsupportedError } from "../errors.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import type { Sae } from "../sae/sae.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";

/** The directions of an SAE, all of length 1: the sample that a meta-SAE is trained on. */
export interface UnitDirections {
  /** What the SAE was opened from, for people and error messages. */
  readonly location: string;
  /** [n × d] rows of length 1, in the order of the SAE's latents. */
  readonly directions: Matrix;
  /** [n], ascending: the latent whose direction each row is. */
  readonly latents: Int32Array;
  /** Latents left out because their direction is zero, ascending; m = n + their number. */
  readonly zeroLatents: Int32Array;
}

/**
 * The decoder rows of `sae`, scaled to length 1. A latent that writes nothing has no direction and is left out; one that never fires
 * has one like any other and stays, as published (Leask et al., arXiv 2502.04878).
 *
 * Throws {@link DataError} for NaN or infinite values, and when no latent has a direction.
 */
export function unitDirections({ decoder, origin }: Sae): UnitDirections {
  const location = origin.location ?? "an SAE";
  const squares = rowNormsSquared(decoder);
  const broken = squares.findIndex((square) => !Number.isFinite(square));
  if (broken >= 0)
    throw new DataError(
      `The direction of latent ${broken} of ${location} holds NaN or infinite values, expected finite ones`,
    );
  const rows = Int32Array.from(squares.keys());
  const latents = rows.filter((j) => squares[j] > 0);
  if (latents.length === 0)
    throw new DataError(`All ${decoder.rows} directions of ${location} are zero; at least one must not be`);
  const directions = zeros(latents.length, decoder.columns);
  latents.forEach((j, i) => {
    const scale = 1 / Math.sqrt(squares[j]);
    const from = row(decoder, j);
    const to = row(directions, i);
    for (let c = 0; c < to.length; c++) to[c] = from[c] * scale;
  });
  return { location, directions, latents, zeroLatents: rows.filter((j) => squares[j] === 0) };
}

/** Directions as a sample of activations: one "token" per direction. */
export function directionSource({
  location,
  directions,
}: Pick<UnitDirections, "location" | "directions">): ActivationSource {
  return activationsInMemory(directions, { location: `directions of ${location}` });
}

/** The row of `latent`'s direction. Throws {@link UnsupportedError} for a latent that the SAE does not have, or whose direction is zero. */
export function directionRow({ location, latents, zeroLatents }: UnitDirections, latent: number): number {
  const row = latents.indexOf(latent);
  if (row >= 0) return row;
  throw new UnsupportedError(
    zeroLatents.includes(latent)
      ? `Cannot decompose latent ${latent} of ${location}: its direction is zero`
      : `Cannot decompose latent ${latent} of ${location}: it has the latents 0 to ${latents.length + zeroLatents.length - 1}`,
  );
}
