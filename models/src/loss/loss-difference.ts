import { UnsupportedError } from "@saestitch/core";
import type { LossSums } from "./loss-sums.ts";
import { type Estimate, ratioOfSums } from "./ratio-of-sums.ts";

/**
 * CE of the variant `name` − CE of the variant `reference`, in nats per prediction: negative where the first is better. The standard error is
 * that of the paired difference, by document. Null where the difference is not a finite number.
 *
 * Throws {@link UnsupportedError} for a name that no variant has.
 */
export function lossDifference(sums: LossSums, name: string, reference: string): Estimate | null {
  const [losses, compared] = [name, reference].map((wanted) => {
    const v = sums.variants.findIndex((variant) => variant.name === wanted);
    if (v < 0)
      throw new UnsupportedError(
        `There is no variant ${wanted}; the losses are of ${sums.variants.map(({ name }) => name).join(", ")}`,
      );
    return sums.crossEntropy[v];
  });
  return ratioOfSums(
    losses.map((loss, i) => loss - compared[i]),
    sums.predictions,
  );
}
