import { expect } from "vitest";
import { type Matrix, row } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import type { Matches, Selection } from "./kernels.ts";

type Active = readonly [latent: number, value: number];

/** Pre-activations of every row in float64, and how far a float32 sum may be from them. */
interface PreActivations {
  readonly values: readonly Float64Array[];
  readonly errors: readonly Float64Array[];
}

export function preActivations(x: Matrix, encoder: Matrix, bias: Float32Array): PreActivations {
  const each = (f: (xRow: Float32Array, encoderRow: Float32Array, j: number) => number) =>
    Array.from({ length: x.rows }, (_, i) =>
      Float64Array.from({ length: encoder.rows }, (_, j) => f(row(x, i), row(encoder, j), j)),
    );
  return {
    values: each((a, b, j) => dot(a, b) + bias[j]),
    errors: each((a, b, j) => roundingError(a, b) + 2 ** -23 * Math.abs(bias[j])),
  };
}

/** The active latents of every row; fails unless the code is well formed. */
export function rowsOf(code: SparseCode): Active[][] {
  expect(code.offsets).toHaveLength(code.rows + 1);
  expect(code.offsets[0]).toBe(0);
  expect(code.indices).toHaveLength(code.offsets[code.rows]);
  expect(code.values).toHaveLength(code.offsets[code.rows]);
  return Array.from({ length: code.rows }, (_, i) => {
    const active: Active[] = [];
    for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++) {
      const latent = code.indices[entry];
      if (latent <= (active.at(-1)?.[0] ?? -1) || latent >= code.columns || !(code.values[entry] > 0))
        throw new Error(`Entry ${entry} (latent ${latent}, value ${code.values[entry]}) is out of place`);
      active.push([latent, code.values[entry]]);
    }
    return active;
  });
}

/** What `selection` asks for in row `i` with pre-activations `p`, taken literally. */
export function activeLatents(p: Float64Array, i: number, selection: Selection): Active[] {
  const ranking = Array.from(p.keys()).sort((a, b) => p[b] - p[a] || a - b);
  const passes = (j: number): boolean => {
    switch (selection.kind) {
      case "threshold":
        return p[j] > selection.threshold[j];
      case "row-threshold":
        return p[j] > selection.threshold[i];
      case "top":
        return ranking.slice(0, selection.count).includes(j);
      default:
        return selection satisfies never;
    }
  };
  return Array.from(p.keys())
    .filter((j) => passes(j) && activation(p[j], j, selection) > 0)
    .map((j) => [j, activation(p[j], j, selection)]);
}

/** As {@link activeLatents}, but values may be off by rounding, and latents that near the border on either side of it. */
export function expectCode(code: SparseCode, truth: PreActivations, selection: Selection): void {
  rowsOf(code).forEach((active, i) => {
    const got = new Map(active);
    const p = truth.values[i];
    const worstError = truth.errors[i].reduce((a, b) => Math.max(a, b), 0);
    const ranked = Float64Array.from(p).sort().reverse();
    p.forEach((value, j) => {
      const border = borderOf(selection, i, j, ranked);
      const reach = selection.kind === "top" ? 2 * worstError : truth.errors[i][j];
      const f = activation(value, j, selection);
      const scale = selection.kind === "threshold" ? Math.abs(selection.scale?.[j] ?? 1) : 1;
      const error = truth.errors[i][j] * scale + 2 ** -22 * Math.abs(f);
      const activated = got.get(j);
      if (activated === undefined) {
        if (value > border + reach && f > error) throw new Error(`Row ${i}: latent ${j} (${f}) is missing`);
        return;
      }
      if (value < border - reach || f < -error) throw new Error(`Row ${i}: latent ${j} (${f}) is active`);
      if (Math.abs(activated - f) > error) throw new Error(`Row ${i}: latent ${j} is ${activated}, not ${f}`);
    });
    if (selection.kind === "top") expect(active.length).toBeLessThanOrEqual(selection.count);
  });
}

export function expectDecoded(
  got: Matrix,
  code: SparseCode,
  decoder: Matrix,
  base: Matrix,
  sign: 1 | -1,
): void {
  expect([got.rows, got.columns]).toEqual([base.rows, base.columns]);
  const sizes = decoded(absolute(code), absolute(decoder), absolute(base), 1);
  const most = code.offsets.subarray(1).reduce((max, end, i) => Math.max(max, end - code.offsets[i]), 0);
  decoded(code, decoder, base, sign).forEach((value, at) => {
    if (!(Math.abs(got.values[at] - value) <= (most + 2) * 2 ** -23 * sizes[at]))
      throw new Error(`Value ${at} is ${got.values[at]}, not ${value}`);
  });
}

export function expectProjected(
  got: Float32Array,
  code: SparseCode,
  decoder: Matrix,
  residual: Matrix,
): void {
  expect(got).toHaveLength(code.indices.length);
  const want = projected(code, decoder, residual);
  for (let i = 0; i < code.rows; i++)
    for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++) {
      const error = roundingError(row(decoder, code.indices[entry]), row(residual, i));
      if (!(Math.abs(got[entry] - want[entry]) <= error))
        throw new Error(`Entry ${entry} is ${got[entry]}, not ${want[entry]}`);
    }
}

export function expectWalked(
  got: Float32Array,
  code: SparseCode,
  decoder: Matrix,
  residual: Matrix,
  group?: Int32Array,
): void {
  expect(got).toHaveLength(code.indices.length);
  const want = walked(code, decoder, residual, group);
  const added = { ...code, values: code.values.map((value) => -Math.abs(value)) };
  const sizes = walked(added, absolute(decoder), absolute(residual), group);
  for (let i = 0; i < code.rows; i++)
    for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++) {
      const roundings = residual.columns / 4 + 8 + 2 * (entry - code.offsets[i]);
      if (!(Math.abs(got[entry] - want[entry]) <= roundings * 2 ** -24 * sizes[entry]))
        throw new Error(`Entry ${entry} is ${got[entry]}, not ${want[entry]}`);
    }
}

export function expectMatches(
  { count, indices, cosines }: Matches,
  rows: Matrix,
  among: Matrix,
  wanted: number,
): void {
  expect(count).toBe(Math.min(wanted, among.rows));
  expect(indices).toHaveLength(rows.rows * count);
  expect(cosines).toHaveLength(rows.rows * count);
  const error = (rows.columns / 4 + 16) * 2 ** -24;
  for (let i = 0; i < rows.rows; i++) {
    const truth = Float64Array.from({ length: among.rows }, (_, j) => cosine(row(rows, i), row(among, j)));
    const found = indices.subarray(i * count, (i + 1) * count);
    const values = cosines.subarray(i * count, (i + 1) * count);
    const chosen = new Set(found);
    expect(chosen.size).toBe(count);
    found.forEach((j, place) => {
      if (!(Math.abs(values[place] - truth[j]) <= error))
        throw new Error(`Row ${i}: cosine ${values[place]}, not ${truth[j]}`);
      if (place === 0) return;
      if (values[place] > values[place - 1] || (values[place] === values[place - 1] && j < found[place - 1]))
        throw new Error(`Row ${i}: match ${place} is out of order`);
    });
    if (count === 0) continue;
    truth.forEach((value, j) => {
      if (!chosen.has(j) && value > values[count - 1] + error)
        throw new Error(`Row ${i}: match ${j} is missing`);
    });
  }
}

export function decoded(code: SparseCode, decoder: Matrix, base: Matrix, sign: 1 | -1): Float64Array {
  const out = Float64Array.from(base.values);
  for (let i = 0; i < code.rows; i++)
    for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++) {
      const direction = row(decoder, code.indices[entry]);
      for (let k = 0; k < base.columns; k++)
        out[i * base.columns + k] += sign * code.values[entry] * direction[k];
    }
  return out;
}

export function projected(code: SparseCode, decoder: Matrix, residual: Matrix): Float64Array {
  const out = new Float64Array(code.indices.length);
  for (let i = 0; i < code.rows; i++)
    for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++)
      out[entry] = dot(row(decoder, code.indices[entry]), row(residual, i));
  return out;
}

/** Each group of each row walks on its own; without groups there is one. */
export function walked(
  code: SparseCode,
  decoder: Matrix,
  residual: Matrix,
  group?: Int32Array,
): Float64Array {
  const out = new Float64Array(code.indices.length);
  for (let i = 0; i < code.rows; i++) {
    const leftByGroup = new Map<number, Float64Array>();
    for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++) {
      const direction = row(decoder, code.indices[entry]);
      const key = group?.[code.indices[entry]] ?? 0;
      const left = leftByGroup.get(key) ?? Float64Array.from(row(residual, i));
      out[entry] = dot(direction, left);
      leftByGroup.set(
        key,
        left.map((value, k) => value - code.values[entry] * direction[k]),
      );
    }
  }
  return out;
}

function activation(p: number, j: number, selection: Selection): number {
  return selection.kind === "threshold" ? p * (selection.scale?.[j] ?? 1) + (selection.offset?.[j] ?? 0) : p;
}

/** What pre-activation j of row i must reach; `ranked` are those of the row, largest first. */
function borderOf(selection: Selection, i: number, j: number, ranked: Float64Array): number {
  switch (selection.kind) {
    case "threshold":
      return selection.threshold[j];
    case "row-threshold":
      return selection.threshold[i];
    case "top":
      if (selection.count === 0) return Number.POSITIVE_INFINITY;
      return ranked[selection.count - 1] ?? Number.NEGATIVE_INFINITY;
    default:
      return selection satisfies never;
  }
}

function absolute<Part extends { readonly values: Float32Array }>(part: Part): Part {
  return { ...part, values: part.values.map(Math.abs) };
}

function dot(a: Float32Array, b: Float32Array | Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}

function cosine(a: Float32Array, b: Float32Array): number {
  const norms = Math.sqrt(dot(a, a)) * Math.sqrt(dot(b, b));
  return norms === 0 ? 0 : dot(a, b) / norms;
}

/** How far a sum of products in float32, in four or more parts, may be from the true one. */
function roundingError(a: Float32Array, b: Float32Array): number {
  return (a.length / 4 + 8) * 2 ** -24 * Math.sqrt(dot(a, a)) * Math.sqrt(dot(b, b));
}
