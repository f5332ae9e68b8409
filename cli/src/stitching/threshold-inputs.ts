import {
  type ActivationSource,
  type Kernels,
  measureReconstruction,
  residualActivations,
  topkThreshold,
  usableRows,
} from "@saestitch/core";
import type { Inputs } from "../inputs/open-inputs.ts";
import type { SaeInput } from "../inputs/provenance.ts";
import type { ReadingOptions } from "../inputs/sample-options.ts";
import type { ThresholdForm } from "./stitch-document.ts";

/** Rows that thresholds are found on, at most. */
const MOST_ROWS = 65_536;

/** What an SAE reads, and how many rows of it count. */
interface Reading {
  readonly source: ActivationSource;
  readonly rows: number;
}

/**
 * The inputs with every TopK SAE in its threshold form, whose latents do not compete and so can be moved; and what that changed. An SAE
 * that reads what another leaves gets the threshold that fits what the other leaves in its threshold form.
 */
export async function inThresholdForm(
  { saes, residualOf = [], sample, kernels }: Inputs,
  options: ReadingOptions,
): Promise<{ readonly saes: readonly SaeInput[]; readonly forms: readonly ThresholdForm[] }> {
  const forms: ThresholdForm[] = [];
  const changed: SaeInput[] = [];
  for (const [s, input] of saes.entries()) {
    const { activation } = input.sae;
    if (activation.kind !== "topk") {
      changed.push(input);
      continue;
    }
    const host = residualOf[s];
    const reading: Reading =
      host === undefined
        ? sample
        : { source: residualActivations(changed[host].sae, sample.source, kernels), rows: sample.rows };
    const { sae, threshold } = await topkThreshold(
      input.sae,
      () => usableActivations(reading, options),
      kernels,
      { mostRows: MOST_ROWS },
    );
    const [before, after] = [
      await measure(input.sae, reading, kernels, options),
      await measure(sae, reading, kernels, options),
    ];
    forms.push({
      location: input.location,
      k: activation.k,
      threshold,
      tokens: before.tokens,
      l0: { before: before.l0, after: after.l0 },
      mse: { before: before.mse, after: after.mse },
    });
    changed.push({ ...input, sae, variant: `threshold ${threshold}` });
  }
  return { saes: changed, forms };
}

async function* usableActivations({ source, rows }: Reading, options: ReadingOptions) {
  for await (const batch of source.batches({ end: rows, batchRows: options["batch-rows"] }))
    yield usableRows(batch, source.location, { skipNonFinite: options["skip-nonfinite"] }).activations;
}

async function measure(
  sae: SaeInput["sae"],
  { source, rows }: Reading,
  kernels: Kernels,
  options: ReadingOptions,
) {
  const { metrics } = await measureReconstruction(sae, source, kernels, {
    end: Math.min(rows, MOST_ROWS),
    skipNonFinite: options["skip-nonfinite"],
    batchRows: options["batch-rows"],
  });
  return metrics;
}
