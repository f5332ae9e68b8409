import { ShapeError, UnsupportedError } from "../errors.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import type { Sae } from "../sae/sae.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import { allocateFloat32, allocateInt32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";

/** Latents that leave the smaller SAE and latents that enter from the larger, as sets. */
export interface Swap {
  /** Latents of the smaller SAE that leave. */
  readonly remove: readonly number[];
  /** Latents of the larger SAE that enter. */
  readonly insert: readonly number[];
}

/** One latent that leaves the smaller SAE or enters from the larger. */
export interface Move {
  /** Which of the swaps it belongs to, from 0. */
  readonly swap: number;
  /** The SAE it is a latent of: it leaves the smaller and enters from the larger. */
  readonly of: "smaller" | "larger";
  readonly latent: number;
}

/**
 * Swaps in the order in which they happen, as one dictionary: each latent that moves has a position, and the latents of one swap
 * stand side by side. A latent that enters writes its activation times its direction, one that leaves writes minus that.
 */
export interface Exchange {
  /** [p] swap of each position, ascending. */
  readonly swap: Int32Array;
  /** [p × d] */
  readonly directions: Matrix;
  /** [p] squared length of each direction. */
  readonly normsSquared: Float64Array;
  /** Position of each latent of the smaller SAE; −1 for one that stays. */
  readonly positionOfSmaller: Int32Array;
  /** Position of each latent of the larger SAE; −1 for one that does not enter. */
  readonly positionOfLarger: Int32Array;
}

/** What moves, by position: swap after swap, in each first those that leave and then those that enter. */
export function* movesOf(swaps: readonly Swap[]): Generator<Move> {
  for (const [swap, { remove, insert }] of swaps.entries()) {
    for (const latent of remove) yield { swap, of: "smaller", latent };
    for (const latent of insert) yield { swap, of: "larger", latent };
  }
}

/**
 * Throw {@link UnsupportedError} for a latent that moves twice or does not exist, `latents` being how many each SAE has. Swaps are
 * called steps and numbered from 1.
 */
export function checkSwaps(
  swaps: readonly Swap[],
  latents: { readonly smaller: number; readonly larger: number },
): void {
  const movedBy = { smaller: new Int32Array(latents.smaller), larger: new Int32Array(latents.larger) };
  for (const { swap, of, latent } of movesOf(swaps)) {
    const step = swap + 1;
    const act = of === "smaller" ? "removes" : "inserts";
    if (!Number.isInteger(latent) || latent < 0 || latent >= latents[of])
      throw new UnsupportedError(
        `Step ${step} ${act} latent ${latent} of the ${of} SAE, whose latents are 0 to ${latents[of] - 1}`,
      );
    const earlier = movedBy[of][latent];
    if (earlier > 0)
      throw new UnsupportedError(
        `Step ${step} ${act} latent ${latent} of the ${of} SAE, which ${earlier === step ? "the same step" : `step ${earlier}`} ${act} already; a latent can move once`,
      );
    movedBy[of][latent] = step;
  }
}

/**
 * Arrange `swaps`, in which no latent occurs twice: throws as {@link checkSwaps} does, and {@link ShapeError} for SAEs of different
 * width.
 */
export function arrangeExchange(smaller: Sae, larger: Sae, swaps: readonly Swap[]): Exchange {
  const d = larger.decoder.columns;
  if (smaller.decoder.columns !== d)
    throw new ShapeError(`Cannot exchange latents between SAEs of width ${smaller.decoder.columns} and ${d}`);
  checkSwaps(swaps, { smaller: smaller.decoder.rows, larger: larger.decoder.rows });
  const moving = swaps.reduce((sum, { remove, insert }) => sum + remove.length + insert.length, 0);
  const swapOf = allocateInt32(moving);
  const directions = zeros(moving, d);
  const positionOf = {
    smaller: new Int32Array(smaller.decoder.rows).fill(-1),
    larger: new Int32Array(larger.decoder.rows).fill(-1),
  };
  const decoders = { smaller: smaller.decoder, larger: larger.decoder };
  let position = 0;
  for (const { swap, of, latent } of movesOf(swaps)) {
    row(directions, position).set(row(decoders[of], latent));
    swapOf[position] = swap;
    positionOf[of][latent] = position++;
  }
  return {
    swap: swapOf,
    directions,
    normsSquared: rowNormsSquared(directions),
    positionOfSmaller: positionOf.smaller,
    positionOfLarger: positionOf.larger,
  };
}

/**
 * What the exchange adds to the output of the smaller SAE, as a code over positions [b × p]: contributions of entering latents,
 * and those of leaving ones with the sign turned. Rows as in the codes it is made of.
 *
 * Throws {@link ShapeError} when the codes are not of the same rows, or not of the SAEs the exchange was arranged for.
 */
export function exchangedCode(exchange: Exchange, smaller: SparseCode, larger: SparseCode): SparseCode {
  const { rows } = smaller;
  const { positionOfSmaller, positionOfLarger } = exchange;
  const latents = [positionOfSmaller.length, positionOfLarger.length];
  if (larger.rows !== rows || smaller.columns !== latents[0] || larger.columns !== latents[1])
    throw new ShapeError(
      `Cannot exchange codes of ${rows} × ${smaller.columns} and ${larger.rows} × ${larger.columns}: rows must agree and latents be ${latents.join(" and ")}`,
    );
  const most = smaller.indices.length + larger.indices.length;
  const offsets = allocateInt32(rows + 1);
  const indices = allocateInt32(most);
  const values = allocateFloat32(most);
  const moved = new Float32Array(exchange.swap.length);
  let count = 0;
  for (let i = 0; i < rows; i++) {
    const first = count;
    const take = (code: SparseCode, positionOf: Int32Array, sign: 1 | -1) => {
      for (let e = code.offsets[i]; e < code.offsets[i + 1]; e++) {
        const position = positionOf[code.indices[e]];
        if (position < 0) continue;
        indices[count++] = position;
        moved[position] = sign * code.values[e];
      }
    };
    take(smaller, positionOfSmaller, -1);
    take(larger, positionOfLarger, 1);
    indices.subarray(first, count).sort();
    for (let e = first; e < count; e++) values[e] = moved[indices[e]];
    offsets[i + 1] = count;
  }
  return {
    rows,
    columns: exchange.swap.length,
    offsets,
    indices: indices.subarray(0, count),
    values: values.subarray(0, count),
  };
}
