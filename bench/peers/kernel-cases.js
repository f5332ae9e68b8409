// What is measured, what we call for it, and what was aimed at.
import { matrix, transposeCode, zeros } from "@saestitch/core";
import { activeLatents, adam, inputFiles, numbersOf, readInput } from "./kernel-inputs.js";

/** @import { Kernels } from "@saestitch/core" */
/** @import { InputFile, Shape } from "./kernel-inputs.js" */

/**
 * `aims`: how many times as fast as PyTorch; absent where nothing was aimed at.
 *
 * @typedef {{
 *   name: string, op: string, what: string, shape: Shape, check: Shape, aims: { native?: number, wasm?: number },
 * }} Case
 */

/**
 * All of them. With `quick` of sizes that only show that everything works, so without aims.
 *
 * @param {{ quick: boolean }} options @returns {Case[]}
 */
export function listCases({ quick }) {
  const all = casesOf(quick);
  return quick ? all.map((one) => ({ ...one, aims: {} })) : all;
}

/** @param {boolean} quick @returns {Case[]} */
function casesOf(quick) {
  const b = quick ? 512 : 4096;
  const encoders = quick
    ? [
        { d: 64, m: 2048 },
        { d: 256, m: 4096 },
      ]
    : [
        { d: 768, m: 6144 },
        { d: 768, m: 24_576 },
        { d: 768, m: 98_304 },
        { d: 2304, m: 65_536 },
      ];
  const wide = quick ? { b, d: 256, m: 2048 } : { b, d: 768, m: 24_576 };
  const small = { b: 64, d: 96, m: 512 };
  const words = ({ b, d, m }) => `${b} × ${d} × ${m}`;
  const everywhere = (/** @type {number} */ aim) => ({ native: aim, wasm: aim });
  return [
    ...encoders.flatMap((sizes) => [
      {
        name: `encode-threshold-${sizes.d}-${sizes.m}`,
        op: "encode-threshold",
        what: `encode, threshold (${activeLatents} active) → codes, ${words({ b, ...sizes })}`,
        shape: { b, ...sizes },
        check: small,
        aims: { native: 1.8, wasm: 0.5 },
      },
      {
        name: `encode-top-${sizes.d}-${sizes.m}`,
        op: "encode-top",
        what: `encode, top 32 → codes, ${words({ b, ...sizes })}`,
        shape: { b, ...sizes, k: 32 },
        check: { ...small, k: 8 },
        aims: { native: 2, wasm: 0.5 },
      },
      {
        name: `product-${sizes.d}-${sizes.m}`,
        op: "product",
        what: `encode, nothing selected, ${words({ b, ...sizes })}`,
        shape: { b, ...sizes },
        check: small,
        aims: {},
      },
    ]),
    {
      name: "match",
      op: "match",
      what: `match, top 8, ${words({ ...wide, b: wide.m })}`,
      shape: { ...wide, b: wide.m, k: 8 },
      check: { b: 200, d: 96, m: 300, k: 8 },
      aims: { native: 1.4 },
    },
    ...["decode", "project", "outer"].flatMap((op) =>
      [32, 64].flatMap((k) =>
        [false, true].map((skewed) => ({
          name: `${op}-${k}${skewed ? "-skewed" : ""}`,
          op,
          what: `${op === "outer" ? "outer product" : op} from codes, ${k} active, ${skewed ? "skewed" : "uniform"}, ${words(wide)}`,
          shape: { ...wide, k, skewed },
          check: { ...small, k: 8, skewed },
          aims: everywhere(6),
        })),
      ),
    ),
    ...Object.entries({
      "adam-unit": "Adam, unit rows; no gradient here, a dense one that lies ready there",
      "adam-from-codes": "Adam, unit rows, gradient from codes (32 active) on both sides",
      "adam-alone": "Adam, free rows; no gradient here, a dense one that lies ready there",
    }).map(([op, what]) => ({
      name: op,
      op,
      what: `${what}, ${wide.m} × ${wide.d}`,
      shape: { ...wide, k: 32 },
      check: { ...small, k: 8 },
      aims: everywhere(1),
    })),
  ];
}

/**
 * An operation's inputs for both sides: files and numbers for PyTorch, arrays for us.
 *
 * @param {Pick<Case, "op"> & { shape: Shape }} wanted @param {string} folder
 */
export function openInputs({ op, shape }, folder) {
  const files = inputFiles(op, shape, folder);
  const arrays = /** @type {Record<string, any>} */ (
    Object.fromEntries(Object.entries(files).map(([name, file]) => [name, arrayOf(file)]))
  );
  return { message: { op, shape, files, numbers: numbersOf(op, shape) }, arrays };
}

/** @param {InputFile} file */
function arrayOf(file) {
  const values = readInput(file);
  if (values instanceof Int32Array) return values;
  return matrix(file.shape[0], file.shape[1], values);
}

/**
 * What we call, ready to be timed: `begin` puts back what calls change, `call` is timed, `numbers` says what a call gave in the order
 * that PyTorch's side has too, `entries` how many activations a code holds.
 *
 * @param {Pick<Case, "op"> & { shape: Shape }} wanted @param {Record<string, any>} arrays @param {Kernels} kernels
 * @returns {{
 *   begin: () => void,
 *   call: () => Promise<any>,
 *   numbers: (result: any) => Float32Array,
 *   entries: (result: any) => number | undefined,
 * }}
 */
export function ownOperation({ op, shape }, arrays, kernels) {
  const { b, d, m, k = 0 } = shape;
  const operation = (/** @type {() => Promise<any>} */ call) => ({
    begin: () => {},
    call,
    numbers: ({ values }) => values,
    entries: () => undefined,
  });
  if (op === "encode-threshold" || op === "encode-top" || op === "product") {
    const bias = new Float32Array(new SharedArrayBuffer(4 * m)).fill(numbersOf(op, shape).bias);
    const selection = {
      "encode-threshold": { kind: "threshold", threshold: new Float32Array(m) },
      "encode-top": { kind: "top", count: k },
      product: { kind: "threshold", threshold: new Float32Array(m).fill(Number.POSITIVE_INFINITY) },
    }[op];
    return {
      ...operation(() => kernels.encode(arrays.x, arrays.encoder, bias, /** @type {any} */ (selection))),
      numbers: denseOf,
      entries: ({ values }) => values.length,
    };
  }
  if (op === "match") {
    return {
      ...operation(() => kernels.match(arrays.rows, arrays.among, k)),
      numbers: ({ indices, cosines }) => Float32Array.of(...indices, ...cosines),
    };
  }
  const code = {
    rows: b,
    columns: m,
    offsets: Int32Array.from({ length: b + 1 }, (_, i) => i * k),
    indices: arrays.indices,
    values: arrays.values.values,
  };
  if (op === "decode") return operation(() => kernels.decode(code, arrays.directions, arrays.rows, 1));
  if (op === "project") {
    return {
      ...operation(() => kernels.project(code, arrays.directions, arrays.rows)),
      numbers: (result) => result,
    };
  }
  if (op === "outer") {
    const nothing = zeros(m, d);
    return operation(() => kernels.decode(transposeCode(code), arrays.rows, nothing, 1));
  }
  return ownAdam({ op, shape }, arrays, kernels, code);
}

/** Adam on copies of weights and moments, which `begin` makes again. */
function ownAdam({ op, shape: { d, m } }, arrays, kernels, code) {
  const [weights, first, second] = [zeros(m, d), zeros(m, d), zeros(m, d)];
  const noCode = { ...code, offsets: new Int32Array(code.rows + 1), indices: new Int32Array(0) };
  const empty = transposeCode({ ...noCode, values: new Float32Array(0) });
  const gradient = () => (op === "adam-from-codes" ? transposeCode(code) : empty);
  return {
    begin() {
      weights.values.set(arrays.weights.values);
      first.values.set(arrays.first.values);
      second.values.set(arrays.second.values);
    },
    call: () =>
      kernels.update(weights, { first, second }, [{ code: gradient(), rows: arrays.rows }], adam, {
        unitRows: op !== "adam-alone",
      }),
    numbers: () => weights.values,
    entries: () => undefined,
  };
}

/** A code as [b × m] numbers, for small ones. */
function denseOf({ rows, columns, offsets, indices, values }) {
  const dense = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let entry = offsets[i]; entry < offsets[i + 1]; entry++)
      dense[i * columns + indices[entry]] = values[entry];
  }
  return dense;
}
