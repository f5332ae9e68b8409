import { seededRandom } from "../src/linalg/random.ts";
import { randomDirections } from "../src/meta-sae/random-directions.ts";
import type { UnitDirections } from "../src/meta-sae/unit-directions.ts";
import { type Matrix, row, zeros } from "../src/tensor/matrix.ts";

/** Directions that are sums of a few hidden ones. */
export interface PlantedDirections {
  /** [h × d] unit rows. */
  readonly hidden: Matrix;
  readonly larger: UnitDirections;
}

/** `count` directions, each a sum of two or three of `latents` hidden ones with strengths from 0.6 to 1, scaled to length 1. */
export function plantedDirections(
  seed: number,
  { count = 1200, latents = 24, d = 32 } = {},
): PlantedDirections {
  const random = seededRandom(seed);
  const hidden = randomDirections(latents, d, random);
  const directions = zeros(count, d);
  for (let i = 0; i < count; i++) {
    const parts = new Set<number>();
    const size = 2 + Math.floor(2 * random());
    while (parts.size < size) parts.add(Math.floor(latents * random()));
    const sum = row(directions, i);
    for (const j of parts) {
      const strength = 0.6 + 0.4 * random();
      row(hidden, j).forEach((value, c) => {
        sum[c] += strength * value;
      });
    }
    const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0));
    for (let c = 0; c < d; c++) sum[c] /= length;
  }
  return {
    hidden,
    larger: {
      location: "planted directions",
      directions,
      latents: Int32Array.from({ length: count }, (_, i) => i),
      zeroLatents: new Int32Array(0),
    },
  };
}
