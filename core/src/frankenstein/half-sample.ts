import type { CodedBatch, CodedSample } from "../codes/coded-sample.ts";
import { stackCodes } from "../kernels/code-rows.ts";
import { type Matrix, row, zeros } from "../tensor/matrix.ts";
import { allocateFloat32, recycle } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { checkHalves, DocumentHalves, type HalvesCounts, type SplitRows } from "./document-halves.ts";
import { type LatentPool, poolCode } from "./latent-pool.ts";

/**
 * Tokens as a dictionary sees them: it is to write `target` as code · directions + outputScale · bias, row by row.
 *
 * The code is in the units of the target: activations times the output scale of their token.
 */
export interface PooledTokens {
  /** [n × d] activations less the output shift of their token. */
  readonly target: Matrix;
  /** [n] what the bias is multiplied by. */
  readonly outputScale: Float32Array;
  /** [n × M] over the latents of the pool. */
  readonly code: SparseCode;
  /** [n] running number of each token's document. */
  readonly documents: Int32Array;
}

/** Tokens of the half on which latents are selected, in memory, and the size of both halves. */
export interface SelectionHalf extends PooledTokens {
  readonly counts: HalvesCounts;
}

/** Tokens of the other half, one batch of them. */
export interface EvaluationBatch extends PooledTokens {
  /** [b × d] as recorded. */
  readonly activations: Matrix;
  /** Rows of the sample done when this batch is. */
  readonly end: number;
}

/**
 * Read the half of `coded` on which latents are selected into memory: n·(d + 1) numbers and the codes. The pool is of the first of
 * the coded SAEs.
 *
 * Throws DataError when there are fewer than two documents.
 */
export async function readSelectionHalf(
  coded: CodedSample,
  pool: LatentPool,
  { seed = 0, onRows = () => {} }: HalfOptions = {},
): Promise<SelectionHalf> {
  const halves = new DocumentHalves(seed);
  const parts: PooledTokens[] = [];
  for await (const batch of coded.batches()) {
    const { selection } = halves.deal(batch.activations.rows, batch.documentIds);
    parts.push(pooledTokens(pool, batch, selection));
    recycle(batch.activations.values);
    await onRows(batch.end);
  }
  const counts = halves.counts();
  checkHalves(counts, coded.location);
  return { ...stack(parts, pool), counts };
}

/** Read the other half, batch by batch, in bounded memory. Equal seeds give equal halves. */
export async function* readEvaluationHalf(
  coded: CodedSample,
  pool: LatentPool,
  { seed = 0, onRows = () => {} }: HalfOptions = {},
): AsyncGenerator<EvaluationBatch> {
  const halves = new DocumentHalves(seed);
  for await (const batch of coded.batches()) {
    const { evaluation } = halves.deal(batch.activations.rows, batch.documentIds);
    const activations = takeRows(batch.activations, evaluation.rows);
    const tokens = pooledTokens(pool, batch, evaluation);
    recycle(batch.activations.values);
    yield { ...tokens, activations, end: batch.end };
    await onRows(batch.end);
  }
}

/** Options of reading a half. */
export interface HalfOptions {
  /** Of the coins that decide which document falls to which half. */
  readonly seed?: number;
  /** Called after every batch with the rows of the sample done so far. */
  readonly onRows?: (rows: number) => void | Promise<void>;
}

function pooledTokens(pool: LatentPool, batch: CodedBatch, { rows, documents }: SplitRows): PooledTokens {
  const { outputScale, outputShift } = batch.codes[0];
  const target = takeRows(batch.activations, rows);
  const scale = allocateFloat32(rows.length);
  rows.forEach((from, i) => {
    scale[i] = outputScale?.[from] ?? 1;
    const shift = outputShift?.[from] ?? 0;
    if (shift !== 0) for (let k = 0; k < target.columns; k++) target.values[i * target.columns + k] -= shift;
  });
  return { target, outputScale: scale, code: poolCode(pool, batch.codes, rows), documents };
}

function takeRows(m: Matrix, rows: Int32Array): Matrix {
  const taken = zeros(rows.length, m.columns);
  rows.forEach((from, i) => {
    row(taken, i).set(row(m, from));
  });
  return taken;
}

function stack(parts: readonly PooledTokens[], pool: LatentPool): PooledTokens {
  const n = parts.reduce((sum, { target }) => sum + target.rows, 0);
  const { columns } = pool.directions;
  const target = zeros(n, columns);
  const outputScale = allocateFloat32(n);
  const documents = new Int32Array(n);
  let start = 0;
  for (const part of parts) {
    target.values.set(part.target.values, start * columns);
    outputScale.set(part.outputScale, start);
    documents.set(part.documents, start);
    start += part.target.rows;
    recycle(part.target.values);
  }
  const code = stackCodes(
    parts.map((part) => part.code),
    pool.directions.rows,
  );
  return { target, outputScale, code, documents };
}
