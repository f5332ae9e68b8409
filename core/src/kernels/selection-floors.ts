import type { Selection } from "./kernels.ts";

/** A {@link Selection} as the kernels search for it: what pre-activations must exceed, and what becomes of those that do. */
export interface Floors {
  /** [rows]; what a pre-activation must exceed, by row. */
  readonly rowFloor: Float32Array;
  /** [m]; what it must exceed, by latent. */
  readonly latentFloor: Float32Array;
  /** Each [m]: the activation is pre-activation × scale + offset, and must be positive. Nothing when the activation is the pre-activation. */
  readonly affine?: { readonly scale: Float32Array; readonly offset: Float32Array };
  /** How many to keep of each row, the largest; 0 when all. */
  readonly top: number;
}

/** What {@link Selection} asks of `rows` rows and `latents` latents. */
export function floorsOf(selection: Selection, rows: number, latents: number): Floors {
  const everyRow = (value: number) => new Float32Array(rows).fill(value);
  const everyLatent = (value: number) => new Float32Array(latents).fill(value);
  switch (selection.kind) {
    case "threshold": {
      const { threshold, scale, offset } = selection;
      const rowFloor = everyRow(Number.NEGATIVE_INFINITY);
      if (scale === undefined && offset === undefined)
        return { rowFloor, latentFloor: threshold.map((value) => Math.max(value, 0)), top: 0 };
      const affine = { scale: scale ?? everyLatent(1), offset: offset ?? everyLatent(0) };
      return { rowFloor, latentFloor: threshold, affine, top: 0 };
    }
    case "row-threshold":
      return { rowFloor: selection.threshold, latentFloor: everyLatent(0), top: 0 };
    case "top": {
      const top = Math.min(selection.count, latents);
      // To keep none is to ask for what cannot be.
      const rowFloor = everyRow(top === 0 ? Number.POSITIVE_INFINITY : 0);
      return { rowFloor, latentFloor: everyLatent(Number.NEGATIVE_INFINITY), top };
    }
    default:
      return selection satisfies never;
  }
}
