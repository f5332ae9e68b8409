import type { UnitDirections } from "../src/meta-sae/unit-directions.ts";
import type { Matrix } from "../src/tensor/matrix.ts";
import { composedDirections } from "../src/toy-world/composed-directions.ts";

/** Directions of an SAE that are sums of two or three hidden ones. */
export function plantedDirections(
  seed: number,
  options?: Parameters<typeof composedDirections>[1],
): { readonly hidden: Matrix; readonly larger: UnitDirections } {
  const { hidden, directions } = composedDirections(seed, options);
  const latents = Int32Array.from({ length: directions.rows }, (_, i) => i);
  return {
    hidden,
    larger: { location: "planted directions", directions, latents, zeroLatents: new Int32Array(0) },
  };
}
