import { ShapeError, UnsupportedError } from "../errors.ts";
import type { Sae } from "./sae.ts";

/**
 * Throw unless latents can move between `saes`: {@link ShapeError} when they read activations of different width,
 * {@link UnsupportedError} when they normalise their input differently, so that an activation of one means another thing in
 * the other, or by a factor that has not been folded into the weights (`foldInputScale`).
 */
export function checkComparable(saes: readonly Sae[]): void {
  for (const sae of saes) {
    if (sae.normalization.kind !== "expected-average") continue;
    throw new UnsupportedError(
      `${nameOf(sae)} expects activations multiplied by a factor, which must be folded into its weights before latents can move: ` +
        "give it with --activation-scale S or estimate",
    );
  }
  const [first, ...others] = saes;
  for (const other of others) {
    const [a, b] = [first, other].map(({ decoder }) => decoder.columns);
    if (a !== b)
      throw new ShapeError(
        `${nameOf(first)} reads activations of width ${a} and ${nameOf(other)} of width ${b}: latents move only between SAEs trained on the same activations`,
      );
    const [one, two] = [first, other].map(({ normalization }) => normalization.kind);
    if (one !== two)
      throw new UnsupportedError(
        `${nameOf(first)} normalises its input by ${one} and ${nameOf(other)} by ${two}: latents move only between SAEs that read the same numbers. The scale of a token cannot be folded into weights, so both must be trained with one normalisation`,
      );
  }
}

function nameOf({ origin, decoder }: Sae): string {
  return origin.location ?? `the SAE of ${decoder.rows} latents`;
}
