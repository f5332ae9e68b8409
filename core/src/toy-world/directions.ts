import { dot } from "../linalg/dot.ts";
import { type Random, randomDirection } from "../linalg/random.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";

/**
 * Groups of unit directions in R^d, one row per direction: orthonormal bases, each drawn at random and filled with as many
 * whole groups as fit. More directions than dimensions, yet orthogonal within every group, and with less interference
 * between groups than if each direction were drawn alone. A group has at most d directions.
 */
export function unionOfBases(groupSizes: readonly number[], d: number, random: Random): Matrix {
  const directions = zeros(
    groupSizes.reduce((total, size) => total + size, 0),
    d,
  );
  let basisStart = 0;
  let groupStart = 0;
  for (const size of groupSizes) {
    const groupEnd = groupStart + size;
    if (groupEnd - basisStart > d) basisStart = groupStart;
    for (let i = groupStart; i < groupEnd; i++) {
      randomDirection(random, row(directions, i));
      orthogonalize(row(directions, i), directions, basisStart, i);
    }
    groupStart = groupEnd;
  }
  return directions;
}

/** Take the parts along rows `start` to `end` away from `direction` and scale it to length 1. */
function orthogonalize(direction: Float32Array, basis: Matrix, start: number, end: number): void {
  // Twice, since the first round leaves rounding errors in proportion to what it took away.
  for (let round = 0; round < 2; round++) {
    for (let i = start; i < end; i++) {
      const other = row(basis, i);
      const along = dot(direction, other);
      for (let c = 0; c < direction.length; c++) direction[c] -= along * other[c];
    }
    const norm = Math.sqrt(dot(direction, direction));
    for (let c = 0; c < direction.length; c++) direction[c] /= norm;
  }
}
