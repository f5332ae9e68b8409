import type { ActivationSource } from "../src/activations/activation-source.ts";
import { referenceKernels } from "../src/kernels/reference-kernels.ts";
import type { LabelSums } from "../src/labelling/label-sums.ts";
import { emptyLabelSums, measureInsertion, type Pair } from "../src/labelling/measure-insertion.ts";

/** The sums over the whole sample, or the stretch of it that `options` name, in batches of seven rows. */
export async function measure(
  pair: Pair,
  source: ActivationSource,
  options: Parameters<typeof measureInsertion>[3] = {},
): Promise<LabelSums> {
  let sums = options.from ?? emptyLabelSums(pair);
  for await (const measured of measureInsertion(pair, source, referenceKernels, { batchRows: 7, ...options }))
    sums = measured.sums();
  return sums;
}

/** Random documents of about three tokens, numbered from 3 or 4. */
export function documentsOf(random: () => number, rows: number): Int32Array {
  let id = 3;
  return Int32Array.from({ length: rows }, () => {
    if (random() < 0.35) id++;
    return id;
  });
}
