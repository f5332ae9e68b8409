import { DataError, type Matrix, nonFiniteRows } from "@saestitch/core";
import type { TokenWindow } from "../tokens/token-window.ts";
import { readRows } from "./matrix-rows.ts";

/** The activations of a batch that are replaced or averaged. */
export interface IncludedRows {
  /** [n]: which rows of the batch's activations they are, ascending. */
  readonly rows: Int32Array;
  /** [n × d], a copy. */
  readonly activations: Matrix;
}

/**
 * The rows of `activations` [rows · length × d] that are neither padding nor marked as excluded, `windows` being the rows of the batch
 * and `length` their length with padding. Throws {@link DataError}, naming `place`, when one holds NaN or infinite values.
 */
export function includedRows(
  activations: Matrix,
  windows: readonly TokenWindow[],
  length: number,
  place: string,
): IncludedRows {
  const included: number[] = [];
  windows.forEach(({ excluded }, i) => {
    for (let t = 0; t < excluded.length; t++) if (excluded[t] === 0) included.push(i * length + t);
  });
  const rows = Int32Array.from(included);
  const read = readRows(activations, rows);
  const [broken] = nonFiniteRows(read);
  if (broken !== undefined) {
    const window = windows[Math.floor(rows[broken] / length)];
    throw new DataError(
      `Cannot use the activations at ${place}: that of a token of document ${window.documentIds[rows[broken] % length]} holds NaN or infinite values`,
    );
  }
  return { rows, activations: read };
}
