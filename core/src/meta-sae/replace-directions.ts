import { ShapeError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { Sae } from "../sae/sae.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";

/** `metaSae` with other directions, [meta-latents × d]; everything else stays. Throws {@link ShapeError} when they are of another shape. */
export function replaceDirections(metaSae: Sae, directions: Matrix): Sae {
  const { rows, columns } = metaSae.decoder;
  if (directions.rows !== rows || directions.columns !== columns)
    throw new ShapeError(
      `Cannot replace ${rows} × ${columns} directions by ${directions.rows} × ${directions.columns}: shapes must be equal`,
    );
  return { ...metaSae, decoder: directions };
}

/**
 * `metaSae` with each direction replaced by the one of `candidates` [s × d], unit rows, that has the highest cosine to it; several may
 * become the same.
 */
export async function replaceByNearest(metaSae: Sae, candidates: Matrix, kernels: Kernels): Promise<Sae> {
  const { indices } = await kernels.match(metaSae.decoder, candidates, 1);
  const nearest = zeros(metaSae.decoder.rows, candidates.columns);
  indices.forEach((candidate, j) => {
    row(nearest, j).set(row(candidates, candidate));
  });
  return replaceDirections(metaSae, nearest);
}
