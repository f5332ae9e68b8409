import { type Random, randomDirection } from "../linalg/random.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";

/**
 * `count` directions drawn uniformly from the unit sphere in R^d, [count × d]: what a meta-SAE explains of them it would explain of
 * directions that mean nothing.
 */
export function randomDirections(count: number, d: number, random: Random): Matrix {
  const directions = zeros(count, d);
  for (let i = 0; i < count; i++) randomDirection(random, row(directions, i));
  return directions;
}
