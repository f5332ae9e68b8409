import { dot } from "../linalg/dot.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import { row, zeros } from "../tensor/matrix.ts";
import { allocateFloat32, allocateInt32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { adamVector } from "./adam.ts";
import { allocateMatches } from "./allocate-matches.ts";
import {
  checkDecode,
  checkEncode,
  checkMatch,
  checkProject,
  checkUpdate,
  checkWalk,
} from "./check-arguments.ts";
import type { GradientTerm, Kernels, Selection } from "./kernels.ts";

interface Scored {
  readonly index: number;
  readonly value: number;
}

/**
 * The readable implementation: plain loops, float64 sums, one row at a time, in the calling thread. What the others are
 * compared with. It holds nothing, so closing it does nothing.
 */
export const referenceKernels: Kernels = {
  name: "reference",

  async encode(x, encoder, bias, selection) {
    checkEncode(x, encoder, bias, selection);
    const rows: Scored[][] = [];
    for (let i = 0; i < x.rows; i++) {
      const preActivations = new Float32Array(encoder.rows);
      for (let j = 0; j < encoder.rows; j++) preActivations[j] = dot(row(x, i), row(encoder, j)) + bias[j];
      rows.push(select(preActivations, i, selection));
    }
    return codeOfRows(rows, encoder.rows);
  },

  async decode(code, decoder, base, sign) {
    checkDecode(code, decoder, base);
    const result = zeros(base.rows, base.columns);
    for (let i = 0; i < code.rows; i++) {
      const sum = new Float64Array(base.columns);
      for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++) {
        const direction = row(decoder, code.indices[entry]);
        for (let k = 0; k < sum.length; k++) sum[k] += code.values[entry] * direction[k];
      }
      const origin = row(base, i);
      row(result, i).set(sum.map((value, k) => origin[k] + sign * value));
    }
    return result;
  },

  async project(code, decoder, residual) {
    checkProject(code, decoder, residual);
    const result = allocateFloat32(code.indices.length);
    for (let i = 0; i < code.rows; i++)
      for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++)
        result[entry] = dot(row(decoder, code.indices[entry]), row(residual, i));
    return result;
  },

  async walk(code, decoder, residual, group) {
    checkWalk(code, decoder, residual, group);
    const result = allocateFloat32(code.indices.length);
    for (let i = 0; i < code.rows; i++) {
      let left = row(residual, i).slice();
      for (let entry = code.offsets[i]; entry < code.offsets[i + 1]; entry++) {
        const latent = code.indices[entry];
        const isFirst = entry === code.offsets[i];
        if (!isFirst && group !== undefined && group[latent] !== group[code.indices[entry - 1]])
          left = row(residual, i).slice();
        const direction = row(decoder, latent);
        result[entry] = dot(direction, left);
        for (let k = 0; k < left.length; k++) left[k] -= code.values[entry] * direction[k];
      }
    }
    return result;
  },

  async match(rows, among, wanted) {
    checkMatch(rows, among, wanted);
    const count = Math.min(wanted, among.rows);
    const rowNorms = rowNormsSquared(rows).map(Math.sqrt);
    const amongNorms = rowNormsSquared(among).map(Math.sqrt);
    const result = allocateMatches(rows.rows, count);
    for (let i = 0; i < rows.rows; i++) {
      const cosines = new Float32Array(among.rows);
      for (let j = 0; j < among.rows; j++) {
        const norm = rowNorms[i] * amongNorms[j];
        const cosine = norm === 0 ? 0 : dot(row(rows, i), row(among, j)) / norm;
        cosines[j] = Math.min(1, Math.max(-1, cosine));
      }
      largest(cosines, count).forEach(({ index, value }, place) => {
        result.indices[i * count + place] = index;
        result.cosines[i * count + place] = value;
      });
    }
    return result;
  },

  async update(weights, { first, second }, gradient, adam, { unitRows = false } = {}) {
    checkUpdate(weights, { first, second }, gradient, adam);
    for (let j = 0; j < weights.rows; j++) {
      const weight = row(weights, j);
      const sum = gradientOfRow(gradient, j, weights.columns);
      if (unitRows) removeParallel(sum, weight);
      adamVector(weight, row(first, j), row(second, j), sum, adam);
      if (unitRows) scaleToUnit(weight);
    }
  },

  async close() {},
};

/** Row `j` of the sum of the terms, [columns]. */
function gradientOfRow(gradient: readonly GradientTerm[], j: number, columns: number): Float64Array {
  const sum = new Float64Array(columns);
  for (const { code, rows } of gradient)
    for (let entry = code.offsets[j]; entry < code.offsets[j + 1]; entry++) {
      const values = row(rows, code.indices[entry]);
      for (let k = 0; k < columns; k++) sum[k] += code.values[entry] * values[k];
    }
  return sum;
}

/** Take out of `vector` what is parallel to `direction`; a zero direction takes nothing. */
function removeParallel(vector: Float64Array, direction: Float32Array): void {
  const square = dot(direction, direction);
  if (square === 0) return;
  const share = dot(vector, direction) / square;
  for (let k = 0; k < vector.length; k++) vector[k] -= share * direction[k];
}

/** Divide a vector by its length; zero stays zero. */
function scaleToUnit(vector: Float32Array): void {
  const length = Math.sqrt(dot(vector, vector));
  if (length === 0) return;
  for (let k = 0; k < vector.length; k++) vector[k] /= length;
}

/** The active latents of row `i`, ascending. */
function select(p: Float32Array, i: number, selection: Selection): Scored[] {
  switch (selection.kind) {
    case "threshold": {
      const { threshold, scale, offset } = selection;
      return Array.from(p, (value, index) => ({
        index,
        value:
          value > threshold[index] ? Math.fround(value * (scale?.[index] ?? 1) + (offset?.[index] ?? 0)) : 0,
      })).filter(({ value }) => value > 0);
    }
    case "row-threshold":
      return Array.from(p, (value, index) => ({ index, value })).filter(
        ({ value }) => value > selection.threshold[i] && value > 0,
      );
    case "top":
      return largest(p, selection.count)
        .filter(({ value }) => value > 0)
        .sort((a, b) => a.index - b.index);
    default:
      return selection satisfies never;
  }
}

/** The `count` largest values, best first; equal ones in the order of their index. */
function largest(values: Float32Array, count: number): Scored[] {
  return Array.from(values, (value, index) => ({ index, value }))
    .sort((a, b) => b.value - a.value || a.index - b.index)
    .slice(0, count);
}

function codeOfRows(rows: readonly Scored[][], columns: number): SparseCode {
  const entries = rows.flat();
  const offsets = allocateInt32(rows.length + 1);
  rows.forEach((entriesOfRow, i) => {
    offsets[i + 1] = offsets[i] + entriesOfRow.length;
  });
  const indices = allocateInt32(entries.length);
  const values = allocateFloat32(entries.length);
  entries.forEach((entry, position) => {
    indices[position] = entry.index;
    values[position] = entry.value;
  });
  return { rows: rows.length, columns, offsets, indices, values };
}
