import {
  encode,
  type Kernels,
  type Matrix,
  reconstruct,
  row,
  type Sae,
  ShapeError,
  zeros,
} from "@saestitch/core";
import type { VariantName } from "./loss-sums.ts";

/** Something that takes the place of a model's activations. */
export interface LossVariant extends VariantName {
  /**
   * What stands in the place of processed activations [n × d], n > 0: a matrix of the same shape, which the caller may overwrite, or
   * `activations` itself. It must not change them.
   */
  replace(activations: Matrix): Promise<Matrix>;
}

/**
 * Zeros for every processed activation. Where processing centres, the mean over d stays, which the blocks of a model with LayerNorm do not see: to
 * them it is the same as zeros for the whole activation.
 */
export function zeroAblation(name = "zero"): LossVariant {
  return { name, ablation: "zero", replace: async ({ rows, columns }) => zeros(rows, columns) };
}

/** One vector [d] for every processed activation: their mean, see `meanActivation`. Throws ShapeError when its width is another. */
export function meanAblation(mean: Float32Array, name = "mean"): LossVariant {
  return {
    name,
    ablation: "mean",
    async replace({ rows, columns }) {
      if (mean.length !== columns)
        throw new ShapeError(
          `Cannot replace activations of width ${columns} by a mean of ${mean.length} values`,
        );
      const replaced = zeros(rows, columns);
      for (let i = 0; i < rows; i++) row(replaced, i).set(mean);
      return replaced;
    },
  };
}

/** What an SAE makes of the activations. */
export function saeVariant(name: string, sae: Sae, kernels: Kernels): LossVariant {
  return {
    name,
    replace: async (activations) => reconstruct(sae, await encode(sae, activations, kernels), kernels),
  };
}
