import { DataError, ShapeError } from "../errors.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import type { Matrix } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import type { AdamMoments, AdamStep, GradientTerm, Selection } from "./kernels.ts";

/** Throws {@link ShapeError} unless the arguments of `Kernels.encode` fit together. */
export function checkEncode(x: Matrix, encoder: Matrix, bias: Float32Array, selection: Selection): void {
  checkMatrix("encode", "x", x);
  checkMatrix("encode", "encoder", encoder);
  checkEqual("encode", "columns of x", x.columns, "columns of the encoder", encoder.columns);
  checkEqual("encode", "length of the bias", bias.length, "rows of the encoder", encoder.rows);
  switch (selection.kind) {
    case "threshold": {
      const { threshold, scale = threshold, offset = threshold } = selection;
      checkEqual("encode", "length of the threshold", threshold.length, "rows of the encoder", encoder.rows);
      checkEqual("encode", "length of the scale", scale.length, "rows of the encoder", encoder.rows);
      checkEqual("encode", "length of the offset", offset.length, "rows of the encoder", encoder.rows);
      return;
    }
    case "row-threshold":
      checkEqual("encode", "length of the threshold", selection.threshold.length, "rows of x", x.rows);
      return;
    case "top":
      checkCount("encode", selection.count);
      return;
    default:
      selection satisfies never;
  }
}

/** Throws {@link ShapeError} unless the arguments of `Kernels.decode` fit together. */
export function checkDecode(code: SparseCode, decoder: Matrix, base: Matrix): void {
  checkCodeAgainst("decode", code, "the decoder", decoder, "base", base);
}

/** Throws {@link ShapeError} unless the arguments of `Kernels.project` fit together. */
export function checkProject(code: SparseCode, decoder: Matrix, residual: Matrix): void {
  checkCodeAgainst("project", code, "the decoder", decoder, "residual", residual);
}

/** Throws {@link ShapeError} unless the arguments of `Kernels.walk` fit together; groups must not descend. */
export function checkWalk(
  code: SparseCode,
  decoder: Matrix,
  residual: Matrix,
  group: Int32Array | undefined,
): void {
  checkCodeAgainst("walk", code, "the decoder", decoder, "residual", residual);
  if (group === undefined) return;
  checkEqual("walk", "length of the groups", group.length, "rows of the decoder", decoder.rows);
  const descent = group.findIndex((value, j) => j > 0 && value < group[j - 1]);
  if (descent >= 0)
    throw new ShapeError(
      `Cannot walk: groups must ascend with the latent, but that of latent ${descent} is ${group[descent]} after ${group[descent - 1]}`,
    );
}

/**
 * Throws {@link ShapeError} unless the arguments of `Kernels.match` fit together, {@link DataError} when a row has no
 * direction because it holds NaN or infinite values.
 */
export function checkMatch(rows: Matrix, among: Matrix, count: number): void {
  checkMatrix("match", "rows", rows);
  checkMatrix("match", "among", among);
  checkEqual("match", "columns of rows", rows.columns, "columns of among", among.columns);
  checkCount("match", count);
  checkFinite("match", "rows", rows);
  checkFinite("match", "among", among);
}

/**
 * Throws {@link ShapeError} unless the arguments of `Kernels.update` fit together, the number of the step is a whole one from 1,
 * the running means forget ([0, 1)) and epsilon is above zero.
 */
export function checkUpdate(
  weights: Matrix,
  moments: AdamMoments,
  gradient: readonly GradientTerm[],
  { beta1, beta2, epsilon, step }: AdamStep,
): void {
  checkMatrix("update", "weights", weights);
  for (const [name, moment] of [
    ["first moments", moments.first],
    ["second moments", moments.second],
  ] as const) {
    checkMatrix("update", name, moment);
    checkEqual("update", `rows of ${name}`, moment.rows, "rows of weights", weights.rows);
    checkEqual("update", `columns of ${name}`, moment.columns, "columns of weights", weights.columns);
  }
  gradient.forEach(({ code, rows }, i) => {
    checkCodeAgainst("update", code, `gradient term ${i}`, rows, "weights", weights);
  });
  if (!Number.isInteger(step) || step < 1)
    throw new ShapeError(`Cannot update: step must be a whole number of at least 1, got ${step}`);
  if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1))
    throw new ShapeError(`Cannot update: beta1 and beta2 must lie in [0, 1), got ${beta1} and ${beta2}`);
  if (!(epsilon > 0)) throw new ShapeError(`Cannot update: epsilon must be above zero, got ${epsilon}`);
}

function checkCodeAgainst(
  action: string,
  code: SparseCode,
  directionsName: string,
  directions: Matrix,
  denseName: string,
  dense: Matrix,
): void {
  checkMatrix(action, directionsName, directions);
  checkMatrix(action, denseName, dense);
  checkEqual(action, "columns of the code", code.columns, `rows of ${directionsName}`, directions.rows);
  checkEqual(action, "rows of the code", code.rows, `rows of ${denseName}`, dense.rows);
  checkEqual(
    action,
    `columns of ${directionsName}`,
    directions.columns,
    `columns of ${denseName}`,
    dense.columns,
  );
  checkEqual(action, "length of the code's offsets", code.offsets.length, "rows + 1", code.rows + 1);
  const entries = code.offsets[code.rows];
  checkEqual(action, "length of the code's indices", code.indices.length, "its last offset", entries);
  checkEqual(action, "length of the code's values", code.values.length, "its last offset", entries);
}

function checkMatrix(action: string, name: string, m: Matrix): void {
  if (m.values.length !== m.rows * m.columns)
    throw new ShapeError(
      `Cannot ${action}: ${name} is ${m.rows} × ${m.columns}, which needs ${m.rows * m.columns} values, got ${m.values.length}`,
    );
}

function checkEqual(action: string, left: string, a: number, right: string, b: number): void {
  if (a !== b) throw new ShapeError(`Cannot ${action}: ${left} (${a}) must equal ${right} (${b})`);
}

function checkCount(action: string, count: number): void {
  if (!Number.isInteger(count) || count < 0)
    throw new ShapeError(`Cannot ${action}: count must be a whole number of at least 0, got ${count}`);
}

function checkFinite(action: string, name: string, m: Matrix): void {
  const row = rowNormsSquared(m).findIndex((square) => !Number.isFinite(square));
  if (row !== -1)
    throw new DataError(
      `Cannot ${action}: row ${row} of ${name} holds NaN or infinite values, wanted finite ones`,
    );
}
