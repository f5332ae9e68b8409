// Inputs of the operations, drawn once and kept as files of raw little-endian numbers: both sides read the very same.
import { closeSync, existsSync, openSync, readSync, renameSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { normal, normalQuantile, seededRandom } from "@saestitch/core";

/**
 * Sizes: `b` rows (tokens) of width `d`, `m` latents; `k` what a row keeps, or entries of a row of a code; `skewed` for latents
 * that fire as unequally as a real SAE's.
 *
 * @typedef {{ b: number, d: number, m: number, k?: number, skewed?: boolean }} Shape
 * @typedef {{ path: string, kind: "float32" | "int32", shape: number[] }} InputFile
 */

/** Active latents of a row that the bias of `encode-threshold` aims at. */
export const activeLatents = 40;

/** Of every step that is timed; the rate is high so that a wrong step would be seen. */
export const adam = { rate: 0.02, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 1000 };

/**
 * The numbers an operation takes beside its arrays. `bias` is that of every latent: rows are standard normal, so are pre-activations.
 *
 * @param {string} op @param {Shape} shape
 */
export function numbersOf(op, { m }) {
  if (op.startsWith("adam")) return adam;
  if (op === "encode-threshold") return { bias: normalQuantile(activeLatents / m) };
  return { bias: 0 };
}

/**
 * The files of an operation's arrays in `folder`, written where they do not lie there yet.
 *
 * @param {string} op @param {Shape} shape @param {string} folder
 * @returns {Record<string, InputFile>}
 */
export function inputFiles(op, shape, folder) {
  const { b, d, m } = shape;
  const unit = 1 / Math.sqrt(d);
  const draw = (/** @type {string} */ name, /** @type {number} */ rows, scale = 1) =>
    file(folder, `${name}-${rows}-${d}`, "float32", [rows, d], (values) => fillNormal(name, values, scale));
  if (op === "encode-threshold" || op === "encode-top" || op === "product")
    return { x: draw("x", b), encoder: draw("encoder", m, unit) };
  if (op === "match") return { rows: draw("wanted", b), among: draw("among", m, 3 * unit) };
  const code = codeFiles(shape, folder);
  const rows = draw("x", b);
  if (!op.startsWith("adam")) return { ...code, rows, directions: draw("directions", m, unit) };
  return {
    ...code,
    rows,
    directions: draw("directions", m, unit),
    weights: file(folder, `weights-${m}-${d}`, "float32", [m, d], (values) => {
      fillNormal("weights", values, unit);
      makeRowsUnit(values, d);
    }),
    first: draw("first", m, 1e-3),
    second: file(folder, `second-${m}-${d}`, "float32", [m, d], (values) => {
      fillNormal("second", values, 1e-3);
      for (let i = 0; i < values.length; i++) values[i] *= values[i];
    }),
  };
}

/**
 * A file's numbers, in memory that threads share.
 *
 * @param {InputFile} file
 * @returns {Float32Array | Int32Array}
 */
export function readInput({ path, kind, shape }) {
  const length = shape.reduce((product, size) => product * size, 1);
  const memory = new SharedArrayBuffer(4 * length);
  const file = openSync(path, "r");
  try {
    // One call reads at most 2 GiB.
    for (let at = 0; at < memory.byteLength; ) {
      const bytes = Buffer.from(memory, at, Math.min(2 ** 30, memory.byteLength - at));
      at += readSync(file, bytes);
    }
  } finally {
    closeSync(file);
  }
  return kind === "float32" ? new Float32Array(memory) : new Int32Array(memory);
}

/** @param {string} path @param {Float32Array | Int32Array} values */
export function writeNumbers(path, values) {
  const file = openSync(path, "w");
  try {
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    for (let at = 0; at < bytes.length; )
      at += writeSync(file, bytes, at, Math.min(2 ** 30, bytes.length - at));
  } finally {
    closeSync(file);
  }
}

/**
 * @template {"float32" | "int32"} Kind
 * @param {string} folder @param {string} name @param {Kind} kind @param {number[]} shape
 * @param {(values: Kind extends "float32" ? Float32Array : Int32Array) => void} fill
 * @returns {InputFile}
 */
function file(folder, name, kind, shape, fill) {
  const path = join(folder, `${name}.raw`);
  const length = shape.reduce((product, size) => product * size, 1);
  if (!existsSync(path) || statSync(path).size !== 4 * length) {
    const values = /** @type {any} */ (
      kind === "float32" ? new Float32Array(length) : new Int32Array(length)
    );
    fill(values);
    writeNumbers(`${path}.part`, values);
    renameSync(`${path}.part`, path);
  }
  return { path, kind, shape };
}

/**
 * Codes of `k` entries a row, all different, ascending. Uniform: every latent as likely. Skewed: the latent of rank r as likely as
 * 1 / (r + 20), ranks dealt out at random, so that of 24 576 latents the busiest fire for every seventh row and the
 * rarest for one in thousands.
 *
 * @param {Shape} shape @param {string} folder
 */
function codeFiles({ b, m, k = 0, skewed = false }, folder) {
  const name = `${skewed ? "skewed" : "uniform"}-${b}-${m}-${k}`;
  return {
    indices: file(folder, `indices-${name}`, "int32", [b, k], (indices) => {
      const draw = latentDraw(m, skewed);
      for (let i = 0; i < b; i++) {
        const chosen = new Set();
        while (chosen.size < k) chosen.add(draw());
        indices.set(
          [...chosen].sort((one, other) => one - other),
          i * k,
        );
      }
    }),
    values: file(folder, `values-${name}`, "float32", [b, k], (values) => {
      const random = seededRandom(seedOf(`values ${name}`));
      for (let i = 0; i < values.length; i++) values[i] = 0.1 - Math.log(1 - random());
    }),
  };
}

/** @param {number} m @param {boolean} skewed */
function latentDraw(m, skewed) {
  const random = seededRandom(seedOf(`latents ${m} ${skewed}`));
  if (!skewed) return () => Math.floor(m * random());
  const latents = Int32Array.from({ length: m }, (_, rank) => rank);
  for (let i = m - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [latents[i], latents[j]] = [latents[j], latents[i]];
  }
  const cumulative = new Float64Array(m);
  for (let rank = 0, sum = 0; rank < m; rank++) {
    sum += 1 / (rank + 20);
    cumulative[rank] = sum;
  }
  return () => {
    const wanted = random() * cumulative[m - 1];
    let [low, high] = [0, m - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulative[middle] > wanted) high = middle;
      else low = middle + 1;
    }
    return latents[low];
  };
}

/** @param {string} name @param {Float32Array} values @param {number} scale */
function fillNormal(name, values, scale) {
  const random = seededRandom(seedOf(name));
  for (let i = 0; i < values.length; i++) values[i] = scale * normal(random);
}

/** @param {Float32Array} values @param {number} d */
function makeRowsUnit(values, d) {
  for (let start = 0; start < values.length; start += d) {
    const row = values.subarray(start, start + d);
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    for (let k = 0; k < d; k++) row[k] /= length;
  }
}

/** Arrays of different names are different. @param {string} name */
function seedOf(name) {
  let seed = 17;
  for (const letter of name) seed = (Math.imul(seed, 31) + (letter.codePointAt(0) ?? 0)) | 0;
  return seed;
}
