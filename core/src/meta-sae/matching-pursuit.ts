import { ShapeError, UnsupportedError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { type Matrix, row, rowRange, zeros } from "../tensor/matrix.ts";
import { allocateFloat32, allocateInt32, recycle } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { RowRegression } from "./row-regression.ts";

/** Options of {@link matchingPursuit}. */
export interface PursuitOptions {
  /** Which strengths are allowed; the codes of an SAE are never negative. */
  readonly strengths?: "non-negative" | "any";
  /** Targets at a time. */
  readonly batchRows?: number;
  /** Called after every batch with the targets done so far. */
  readonly onRows?: (rows: number) => void;
}

/** A cosine to the residual below which a row of the dictionary would explain less than 10⁻¹⁰ of it. */
const LEAST_COSINE = 1e-5;

/**
 * Each row of `targets` [n × d] as a sum of at most `k` rows of `dictionary` [s × d], by orthogonal matching pursuit (Pati, Rezaiifar &
 * Krishnaprasad 1993): the row with the highest cosine to what is left joins, equal cosines by lower index, and all strengths are
 * fitted anew. By default strengths stay positive (Bruckstein, Elad & Zibulevsky 2008), a row whose strength would not leaving again;
 * with `strengths: "any"` the highest absolute cosine counts and strengths may be negative.
 *
 * One search of the dictionary per step and target (two for "any"), which is nearly all the work. Rows of the dictionary need not have
 * length 1. A target has fewer than k entries when no row is left that explains more of it. Result [n × s].
 *
 * Throws {@link ShapeError} when widths differ, {@link UnsupportedError} for a `k` that is not a positive integer, DataError for NaN or
 * infinite values.
 */
export async function matchingPursuit(
  targets: Matrix,
  dictionary: Matrix,
  k: number,
  kernels: Kernels,
  { strengths = "non-negative", batchRows = 4096, onRows = () => {} }: PursuitOptions = {},
): Promise<SparseCode> {
  if (targets.columns !== dictionary.columns)
    throw new ShapeError(
      `Cannot write directions of width ${targets.columns} as sums of directions of width ${dictionary.columns}`,
    );
  if (!Number.isInteger(k) || k < 1)
    throw new UnsupportedError(`Cannot write directions as sums of ${k} others, expected a positive integer`);
  const search = strengths === "any" ? eitherSign(dictionary, kernels) : oneSign(dictionary, kernels);
  const rows: RowEntries[] = [];
  for (let start = 0; start < targets.rows; start += batchRows) {
    const batch = rowRange(targets, start, Math.min(start + batchRows, targets.rows));
    rows.push(...(await pursueBatch(batch, dictionary, k, search, strengths === "non-negative")));
    onRows(rows.length);
  }
  return codeOf(rows, dictionary.rows);
}

type RowEntries = ReturnType<RowRegression["entries"]>;

/** For each row of `residuals` the row of the dictionary to join next, and how close it is: 0 when none would help. */
type Search = (
  residuals: Matrix,
) => Promise<{ readonly indices: Int32Array; readonly closeness: Float32Array }>;

function oneSign(dictionary: Matrix, kernels: Kernels): Search {
  return async (residuals) => {
    const { indices, cosines } = await kernels.match(residuals, dictionary, 1);
    return { indices, closeness: cosines };
  };
}

function eitherSign(dictionary: Matrix, kernels: Kernels): Search {
  const opposite = zeros(dictionary.rows, dictionary.columns);
  for (let at = 0; at < opposite.values.length; at++) opposite.values[at] = -dictionary.values[at];
  return async (residuals) => {
    const along = await kernels.match(residuals, dictionary, 1);
    const against = await kernels.match(residuals, opposite, 1);
    return {
      indices: along.indices.map((index, i) => {
        if (along.cosines[i] === against.cosines[i]) return Math.min(index, against.indices[i]);
        return along.cosines[i] > against.cosines[i] ? index : against.indices[i];
      }),
      closeness: along.cosines.map((cosine, i) => Math.max(cosine, against.cosines[i])),
    };
  };
}

async function pursueBatch(
  targets: Matrix,
  dictionary: Matrix,
  k: number,
  search: Search,
  nonNegative: boolean,
): Promise<RowEntries[]> {
  const residuals = zeros(targets.rows, targets.columns);
  const regressions = Array.from(
    { length: targets.rows },
    (_, i) => new RowRegression(row(targets, i), dictionary, row(residuals, i), { nonNegative }),
  );
  let unfinished = regressions;
  // A row that leaves makes room for another. Every step explains more, so no sum comes twice; the bound is for rounding.
  for (let step = 0; step < 2 * k && unfinished.length > 0; step++) {
    const left = zeros(unfinished.length, targets.columns);
    unfinished.forEach(({ residual }, i) => {
      row(left, i).set(residual);
    });
    const { indices, closeness } = await search(left);
    recycle(left.values);
    unfinished = unfinished.filter(
      (regression, i) => closeness[i] > LEAST_COSINE && regression.add(indices[i]) && regression.count < k,
    );
  }
  recycle(residuals.values);
  return regressions.map((regression) => regression.entries());
}

function codeOf(rows: readonly RowEntries[], columns: number): SparseCode {
  const offsets = allocateInt32(rows.length + 1);
  rows.forEach((entries, i) => {
    offsets[i + 1] = offsets[i] + entries.length;
  });
  const indices = allocateInt32(offsets[rows.length]);
  const values = allocateFloat32(offsets[rows.length]);
  rows.flat().forEach(({ index, strength }, at) => {
    indices[at] = index;
    values[at] = strength;
  });
  return { rows: rows.length, columns, offsets, indices, values };
}
