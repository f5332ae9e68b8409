import type { Matrix } from "@saestitch/core";

/** What is done to a model's activations before an SAE reads them. */
export interface Processing {
  /**
   * Subtract from each activation its mean over d. TransformerLens' `center_writing_weights` does this to the residual stream of a model whose
   * blocks read through LayerNorm, where it changes no output.
   */
  readonly centred: boolean;
}

/** Process activations [n × d] in place. Returns the same matrix. */
export function processActivations(activations: Matrix, { centred }: Processing): Matrix {
  if (centred) for (let i = 0; i < activations.rows; i++) centre(activations, i);
  return activations;
}

/**
 * What stands at the hook when `replacement` [n × d], made from processed activations, takes the place of the model's own `original`
 * [n × d]: the mean that processing took off is put back. Works in place of `replacement`, which is returned.
 */
export function unprocessActivations(replacement: Matrix, original: Matrix, { centred }: Processing): Matrix {
  if (!centred) return replacement;
  const { rows, columns, values } = replacement;
  for (let i = 0; i < rows; i++) {
    const mean = meanOf(original, i);
    for (let j = i * columns; j < (i + 1) * columns; j++) values[j] += mean;
  }
  return replacement;
}

function centre(activations: Matrix, i: number): void {
  const { columns, values } = activations;
  const mean = meanOf(activations, i);
  for (let j = i * columns; j < (i + 1) * columns; j++) values[j] -= mean;
}

function meanOf({ columns, values }: Matrix, i: number): number {
  let sum = 0;
  for (let j = i * columns; j < (i + 1) * columns; j++) sum += values[j];
  return sum / columns;
}
