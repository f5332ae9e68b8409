import { DataError } from "../errors.ts";
import type { ActivationBatch } from "./activation-source.ts";
import { type IncludedRows, includedRows, nonFiniteRows } from "./exclusion.ts";

/**
 * The rows of a batch that enter averages: neither excluded by the source nor holding NaN or infinite values.
 *
 * Throws {@link DataError} naming `location` and the first row when there are such values, unless `skipNonFinite`.
 */
export function usableRows(
  batch: ActivationBatch,
  location: string,
  { skipNonFinite = false }: { readonly skipNonFinite?: boolean } = {},
): IncludedRows & { readonly nonFinite: number } {
  const included = includedRows(batch);
  const broken = nonFiniteRows(included.activations);
  if (broken.length === 0) return { ...included, nonFinite: 0 };
  const rowOf = (i: number) => included.rows?.[i] ?? batch.start + i;
  if (!skipNonFinite) {
    throw new DataError(
      `${location}: ${broken.length} of rows ${batch.start} to ${batch.start + batch.activations.rows} hold NaN or infinite values, the first is row ${rowOf(broken[0])}; leave them out with --skip-nonfinite`,
    );
  }
  const excluded = Uint8Array.from(batch.excluded ?? new Uint8Array(batch.activations.rows));
  for (const i of broken) excluded[rowOf(i) - batch.start] = 1;
  const finite = includedRows({ ...batch, excluded });
  return { ...finite, excluded: included.excluded, nonFinite: broken.length };
}
