import type { ActivationSource } from "@saestitch/core";

/** The first `rows` rows of a sample; the sample itself when that is all of them. */
export function firstRows(source: ActivationSource, rows: number): ActivationSource {
  if (rows >= source.rows) return source;
  const { location, d } = source;
  return {
    location,
    d,
    rows,
    batches: (options) => source.batches({ end: rows, ...options }),
  };
}
