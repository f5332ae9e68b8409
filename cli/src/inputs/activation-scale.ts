import {
  type ActivationSource,
  foldInputScale,
  type Sae,
  UnsupportedError,
  usableRows,
} from "@saestitch/core";
import type { ActivationScale } from "./sample-options.ts";

/** Whether an SAE expects its activations multiplied by one factor. */
function expectsScale(sae: Sae): boolean {
  return sae.normalization.kind === "expected-average";
}

/**
 * The SAEs for activations as they are, the factor that `scale` names folded into those that expect one; and that factor, null
 * when files gave it or none is needed. Throws {@link UnsupportedError} when a factor is given and none of them expects one.
 */
export async function applyActivationScale(
  saes: readonly Sae[],
  scale: ActivationScale,
  estimate: () => Promise<number>,
): Promise<{ readonly saes: readonly Sae[]; readonly factor: number | null }> {
  if (scale === "file") return { saes, factor: null };
  if (!saes.some(expectsScale)) {
    throw new UnsupportedError(
      `--activation-scale does not apply: ${saes.map(({ normalization }) => `normalisation is ${normalization.kind}`).join(", ")}, and only expected-average is a factor. Leave the option out`,
    );
  }
  const factor = scale === "estimate" ? await estimate() : scale;
  return { saes: saes.map((sae) => (expectsScale(sae) ? foldInputScale(sae, factor) : sae)), factor };
}

/** √d over the mean norm of the activations up to row `end`: makes their mean norm √d, as SAELens' `expected_average_only_in` does. */
export async function estimateActivationScale(
  source: ActivationSource,
  {
    end,
    skipNonFinite,
    batchRows,
  }: { readonly end: number; readonly skipNonFinite: boolean; readonly batchRows: number },
): Promise<number> {
  let norms = 0;
  let tokens = 0;
  for await (const batch of source.batches({ end, batchRows })) {
    const { activations } = usableRows(batch, source.location, { skipNonFinite });
    const { rows, columns, values } = activations;
    for (let i = 0; i < rows; i++) {
      let squares = 0;
      for (let c = 0; c < columns; c++) squares += values[i * columns + c] ** 2;
      norms += Math.sqrt(squares);
    }
    tokens += rows;
  }
  return (Math.sqrt(source.d) * tokens) / norms;
}
