import type { PooledTokens } from "../src/frankenstein/half-sample.ts";
import type { LatentPool } from "../src/frankenstein/latent-pool.ts";
import { rowNormsSquared } from "../src/linalg/norm.ts";
import type { Random } from "../src/linalg/random.ts";
import { type Matrix, row } from "../src/tensor/matrix.ts";
import type { SparseCode } from "../src/tensor/sparse-code.ts";
import { denseCode } from "./plain-forward.ts";
import { randomMatrix, randomSae } from "./random-saes.ts";

/** A pool whose SAEs have nothing but directions that count, [latents × d] each. */
export function poolOf(random: Random, decoders: readonly Matrix[]): LatentPool {
  const starts = [0];
  for (const { rows } of decoders) starts.push(starts[starts.length - 1] + rows);
  const d = decoders[0].columns;
  const directions = {
    rows: starts[decoders.length],
    columns: d,
    values: new Float32Array(starts[decoders.length] * d),
  };
  decoders.forEach(({ values }, s) => {
    directions.values.set(values, starts[s] * d);
  });
  const saes = decoders.map((decoder) => ({ ...randomSae(random, d, decoder.rows), decoder }));
  return { saes, starts, directions, normsSquared: rowNormsSquared(directions) };
}

/** A code of `rows` tokens in which each of `columns` latents is active with probability `density`. */
export function randomCode(random: Random, rows: number, columns: number, density: number): SparseCode {
  return codeOf(
    Array.from({ length: rows }, () =>
      Array.from({ length: columns }, () => (random() < density ? 0.1 + random() : 0)),
    ),
    columns,
  );
}

/** The code of dense rows. */
export function codeOf(rows: readonly (readonly number[])[], columns: number): SparseCode {
  const entries = rows.map((values) => Array.from(values.keys()).filter((j) => values[j] > 0));
  const offsets = new Int32Array(rows.length + 1);
  entries.forEach((latents, i) => {
    offsets[i + 1] = offsets[i] + latents.length;
  });
  return {
    rows: rows.length,
    columns,
    offsets,
    indices: Int32Array.from(entries.flat()),
    values: Float32Array.from(entries.flatMap((latents, i) => latents.map((j) => rows[i][j]))),
  };
}

/** Tokens with random codes and scales over a pool; their targets are noise and what about half of the latents write. */
export function randomTokens(
  random: Random,
  { directions }: LatentPool,
  n: number,
  density = 0.3,
): PooledTokens {
  const outputScale = Float32Array.from({ length: n }, () => 0.5 + random());
  const target = randomMatrix(random, n, directions.columns, 0.5);
  const code = randomCode(random, n, directions.rows, density);
  const weights = Array.from({ length: directions.rows }, () => (random() < 0.5 ? 0 : 1.5 * random()));
  denseCode(code).forEach((active, i) => {
    const written = row(target, i);
    for (const [j, f] of active.entries())
      row(directions, j).forEach((value, c) => {
        written[c] += weights[j] * f * value;
      });
  });
  return { target, outputScale, code, documents: Int32Array.from({ length: n }, (_, i) => i >> 1) };
}

/** target − Σ f w − s · bias in float64, row by row; `directions` are of the code's columns. */
export function plainResidual(
  { target, outputScale, code }: PooledTokens,
  directions: readonly (readonly number[])[],
  bias: readonly number[],
): number[][] {
  const dense = denseCode(code);
  return Array.from({ length: target.rows }, (_, i) =>
    Array.from(row(target, i), (value, c) =>
      dense[i].reduce((left, f, j) => left - f * directions[j][c], value - outputScale[i] * bias[c]),
    ),
  );
}

/** The rows of a matrix as plain numbers. */
export function plainRows(m: Matrix): number[][] {
  return Array.from({ length: m.rows }, (_, i) => Array.from(row(m, i)));
}

/** Squared error that `latents` leave with the best bias, from scratch. */
export function plainObjective(tokens: PooledTokens, pool: LatentPool, latents: readonly number[]): number {
  const d = tokens.target.columns;
  const chosen = plainRows(pool.directions).map((direction, id) =>
    latents.includes(id) ? direction : direction.map(() => 0),
  );
  const without = plainResidual(tokens, chosen, new Array<number>(d).fill(0));
  const squares = tokens.outputScale.reduce((sum, s) => sum + s * s, 0);
  const bias = Array.from({ length: d }, (_, c) =>
    squares === 0 ? 0 : without.reduce((sum, r, i) => sum + tokens.outputScale[i] * r[c], 0) / squares,
  );
  return plainResidual(tokens, chosen, bias)
    .flat()
    .reduce((sum, value) => sum + value * value, 0);
}
