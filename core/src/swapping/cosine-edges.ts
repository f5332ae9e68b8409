import type { Kernels } from "../kernels/kernels.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import type { Edge } from "./families.ts";

/** Directions asked for at first for each row; few rows have more above a useful threshold. */
const FIRST_COUNT = 16;
const GROWTH = 4;

/**
 * All pairs of a direction of `smaller` [s × d] and one of `larger` [l × d] whose cosine is above `threshold`, by larger latent and
 * then by smaller.
 *
 * Never holds the whole matrix of cosines: each larger latent is matched to its few nearest, and again to four times as many only
 * while the last of them is still above the threshold. Rejects as {@link Kernels.match} does.
 */
export async function cosineEdges(
  smaller: Matrix,
  larger: Matrix,
  threshold: number,
  kernels: Kernels,
): Promise<Edge[]> {
  const edgesOf: Edge[][] = Array.from({ length: larger.rows }, () => []);
  let unfinished = Array.from(edgesOf.keys());
  for (let wanted = FIRST_COUNT; unfinished.length > 0; wanted *= GROWTH) {
    const rows = unfinished.length === larger.rows ? larger : rowsOf(larger, unfinished);
    const { count, indices, cosines } = await kernels.match(rows, smaller, wanted);
    unfinished = unfinished.filter((latent, place) => {
      const nearest = place * count;
      const above = cosines.subarray(nearest, nearest + count).findIndex((cosine) => !(cosine > threshold));
      if (above < 0 && count < smaller.rows) return true;
      const edges = Array.from({ length: above < 0 ? count : above }, (_, rank) => ({
        smaller: indices[nearest + rank],
        larger: latent,
        cosine: cosines[nearest + rank],
      }));
      edgesOf[latent] = edges.sort((a, b) => a.smaller - b.smaller);
      return false;
    });
  }
  return edgesOf.flat();
}

function rowsOf(m: Matrix, latents: readonly number[]): Matrix {
  const rows = zeros(latents.length, m.columns);
  latents.forEach((latent, place) => {
    row(rows, place).set(row(m, latent));
  });
  return rows;
}
