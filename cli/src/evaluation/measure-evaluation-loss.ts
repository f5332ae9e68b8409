import type { Kernels } from "@saestitch/core";
import { insertionVariant, lossDifference, lossReport, saeVariant } from "@saestitch/models";
import type { Context } from "../context.ts";
import { lossDocument } from "../losses/loss-document.ts";
import type { LossMeter } from "../losses/with-losses.ts";
import type { EvaluatedSae, EvaluationLoss } from "./evaluation-document.ts";
import type { Insertion } from "./measure-insertion.ts";

/** Measure the losses of the evaluated SAEs and of an insertion into the first, the mean of the ablation being that of the sample. */
export async function measureEvaluationLoss(
  { reading, measure }: LossMeter,
  evaluated: readonly EvaluatedSae[],
  insertion: Insertion | undefined,
  { kernels, context }: { readonly kernels: Kernels; readonly context: Context },
): Promise<EvaluationLoss> {
  // Numbered, since one SAE may stand in the list twice.
  const nameOf = (i: number) => `SAE ${i}`;
  const inserted = "insertion";
  const variants = evaluated.map(({ input }, i) => saeVariant(nameOf(i), input.sae, kernels));
  if (insertion !== undefined) {
    const { host, donor, latents } = insertion;
    variants.push(insertionVariant(inserted, host.sae, donor.sae, latents, kernels));
  }
  const { mean } = evaluated[0].metrics;
  const sums = await context.interruption.during((signal) => measure(variants, { mean, signal }));
  const { base, figures } = lossDocument(reading, lossReport(sums));
  return {
    ...base,
    saes: figures.slice(0, evaluated.length),
    insertion:
      insertion === undefined
        ? null
        : { ...figures[evaluated.length], versusHost: lossDifference(sums, inserted, nameOf(0)) },
  };
}
