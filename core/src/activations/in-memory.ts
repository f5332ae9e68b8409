import { ShapeError } from "../errors.ts";
import { type Matrix, rowRange, zeros } from "../tensor/matrix.ts";
import type { ActivationBatch, ActivationSource } from "./activation-source.ts";
import { batchRanges, resolveBatchOptions } from "./batch-range.ts";

/** A sample of activations [n × d] that is already in memory; ids and mask are [n]. Throws {@link ShapeError} when they are not. */
export function activationsInMemory(
  activations: Matrix,
  {
    location = "activations in memory",
    ...columns
  }: Pick<ActivationBatch, "documentIds" | "tokenIds" | "excluded"> & { readonly location?: string } = {},
): ActivationSource {
  const { rows, columns: d } = activations;
  for (const [name, column] of Object.entries(columns)) {
    if (column.length !== rows) {
      throw new ShapeError(
        `${location}: ${name} has ${column.length} values for ${rows} rows; one per row is needed`,
      );
    }
  }
  return {
    location,
    d,
    rows,
    async *batches(options) {
      for (const { start, end } of batchRanges(resolveBatchOptions({ location, rows }, options))) {
        const copy = zeros(end - start, d);
        copy.values.set(rowRange(activations, start, end).values);
        yield {
          start,
          activations: copy,
          ...(columns.documentIds && { documentIds: columns.documentIds.slice(start, end) }),
          ...(columns.tokenIds && { tokenIds: columns.tokenIds.slice(start, end) }),
          ...(columns.excluded && { excluded: columns.excluded.slice(start, end) }),
        };
      }
    },
  };
}
