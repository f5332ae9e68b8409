import { randomDirection, seededRandom } from "../linalg/random.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";

/** Directions that are sums of a few hidden ones, as those of a large SAE are said to be. */
export interface ComposedDirections {
  /** [h × d], of length 1. */
  readonly hidden: Matrix;
  /** [n × d], of length 1. */
  readonly directions: Matrix;
  /** [n]: the hidden directions that each is a sum of, ascending. */
  readonly parts: readonly (readonly number[])[];
}

/**
 * `count` directions of width `d`, each a sum of some of `hidden` directions, as many as `parts` says at least and at most, with
 * strengths from 0.6 to 1, scaled to length 1.
 */
export function composedDirections(
  seed: number,
  {
    count = 1200,
    hidden: hiddenCount = 24,
    d = 32,
    parts: [fewest, most] = [2, 3],
  }: {
    readonly count?: number;
    readonly hidden?: number;
    readonly d?: number;
    readonly parts?: readonly [fewest: number, most: number];
  } = {},
): ComposedDirections {
  const random = seededRandom(seed);
  const hidden = zeros(hiddenCount, d);
  for (let j = 0; j < hiddenCount; j++) randomDirection(random, row(hidden, j));
  const directions = zeros(count, d);
  const parts = Array.from({ length: count }, (_, i) => {
    const chosen = new Set<number>();
    const size = fewest + Math.floor((most - fewest + 1) * random());
    while (chosen.size < size) chosen.add(Math.floor(hiddenCount * random()));
    const sum = row(directions, i);
    for (const j of chosen) {
      const strength = 0.6 + 0.4 * random();
      row(hidden, j).forEach((value, c) => {
        sum[c] += strength * value;
      });
    }
    const length = Math.hypot(...sum);
    for (let c = 0; c < d; c++) sum[c] /= length;
    return [...chosen].sort((a, b) => a - b);
  });
  return { hidden, directions, parts };
}
