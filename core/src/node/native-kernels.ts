import { DataError, UnsupportedError } from "../errors.ts";
import { adamFactors } from "../kernels/adam-factors.ts";
import {
  checkDecode,
  checkEncode,
  checkMatch,
  checkProject,
  checkUpdate,
  checkWalk,
} from "../kernels/check-arguments.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { type Floors, floorsOf } from "../kernels/selection-floors.ts";
import { type Matrix, zeros } from "../tensor/matrix.ts";
import { allocateFloat32, allocateInt32 } from "../tensor/shared.ts";
import { loadNativeAddon, type NativeCode, type NativeInstance } from "./native-addon.ts";

/** How {@link createNativeKernels} opens. */
export interface NativeOptions {
  readonly threads: number;
  /** A set of instructions, of those that `describeEngines` lists; the best when absent. */
  readonly instructions?: string;
}

/**
 * Kernels of the native addon, on threads of their own: calls run one after another, each on all threads.
 *
 * Arrays are read where they are, whatever their memory: they must not be transferred or resized while a call runs. An unfinished
 * call keeps the process alive, idle threads do not. `close` waits for the running call; those that wait reject. Throws
 * {@link UnsupportedError} when the addon does not load or the instructions do not run here, and when the system refuses the threads.
 */
export function createNativeKernels({ threads, instructions }: NativeOptions): Kernels {
  if (!Number.isInteger(threads) || threads < 1)
    throw new RangeError(`Cannot open kernels on ${threads} threads, wanted a whole number of at least 1`);
  const { native, set } = open(threads, instructions);
  let closing: Promise<void> | undefined;
  return {
    name: `native (${set}), ${threads} ${threads === 1 ? "thread" : "threads"}`,

    async encode(x, encoder, bias, selection) {
      checkEncode(x, encoder, bias, selection);
      const floors = floorsOf(selection, x.rows, encoder.rows);
      const found = await refusing("encode", () => native.scan(scanOf(x, encoder, bias, floors, "encode")));
      return { rows: x.rows, columns: encoder.rows, ...found };
    },

    async decode(code, decoder, base, sign) {
      checkDecode(code, decoder, base);
      const out = zeros(base.rows, base.columns);
      await refusing("decode", () =>
        native.decode({
          rows: base.rows,
          latents: decoder.rows,
          columns: base.columns,
          code,
          decoder: decoder.values,
          base: base.values,
          sign,
          out: out.values,
        }),
      );
      return out;
    },

    async project(code, decoder, residual) {
      checkProject(code, decoder, residual);
      const out = allocateFloat32(code.indices.length);
      await refusing("project", () =>
        native.project({
          rows: residual.rows,
          latents: decoder.rows,
          columns: residual.columns,
          code,
          decoder: decoder.values,
          residual: residual.values,
          out,
        }),
      );
      return out;
    },

    async walk(code, decoder, residual, group) {
      checkWalk(code, decoder, residual, group);
      const out = allocateFloat32(code.indices.length);
      await refusing("walk", () =>
        native.walk({
          rows: residual.rows,
          latents: decoder.rows,
          columns: residual.columns,
          code,
          decoder: decoder.values,
          residual: residual.values,
          group,
          out,
        }),
      );
      return out;
    },

    async match(rows, among, wanted) {
      checkMatch(rows, among, wanted);
      const count = Math.min(wanted, among.rows);
      const floors = {
        // To look for none is to ask for what cannot be.
        rowFloor: filled(rows.rows, count === 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY),
        latentFloor: filled(among.rows, Number.NEGATIVE_INFINITY),
        top: count,
      };
      const bias = new Float32Array(among.rows);
      const found = await refusing("match", () => native.scan(scanOf(rows, among, bias, floors, "match")));
      return { count, indices: found.indices, cosines: found.values };
    },

    async update(weights, { first, second }, gradient, adam, { unitRows = false } = {}) {
      checkUpdate(weights, { first, second }, gradient, adam);
      await refusing("update", () =>
        native.update({
          ...adamFactors(adam),
          rows: weights.rows,
          columns: weights.columns,
          weights: weights.values,
          first: first.values,
          second: second.values,
          gradient: gradient.map(({ code, rows }) => ({ count: rows.rows, code, rows: rows.values })),
          unitRows,
        }),
      );
    },

    close() {
      closing ??= native.close();
      return closing;
    },
  };
}

function open(threads: number, wanted: string | undefined): { native: NativeInstance; set: string } {
  const loaded = loadNativeAddon();
  if ("reason" in loaded) throw new UnsupportedError(`Cannot open native kernels: ${loaded.reason}`);
  const sets = loaded.addon.instructionSets();
  const set = wanted ?? sets[sets.length - 1];
  if (!sets.includes(set))
    throw new UnsupportedError(
      `Cannot open native kernels with ${set} instructions: here run ${sets.join(", ")}`,
    );
  try {
    return { native: loaded.addon.open(threads, set), set };
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`Cannot open native kernels on ${threads} threads: ${message}`, { cause: error });
  }
}

function scanOf(
  rows: Matrix,
  directions: Matrix,
  bias: Float32Array,
  { rowFloor, latentFloor, affine, top }: Floors,
  purpose: "encode" | "match",
) {
  return {
    rowCount: rows.rows,
    directionCount: directions.rows,
    columns: rows.columns,
    rows: rows.values,
    directions: directions.values,
    rowFloor,
    latentFloor,
    bias,
    scale: affine?.scale,
    offset: affine?.offset,
    top,
    unit: purpose === "match",
    byLatent: purpose === "encode",
    allocate: (entries: number): NativeCode => ({
      offsets: allocateInt32(rows.rows + 1),
      indices: allocateInt32(entries),
      values: allocateFloat32(entries),
    }),
  };
}

/** What a call of the addon gives; what it refuses, in our words. */
async function refusing<T>(action: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const Kind = code === "BAD_CODE" ? DataError : Error;
    throw new Kind(`Cannot ${action}: ${message}`, { cause: error });
  }
}

function filled(length: number, value: number): Float32Array {
  return new Float32Array(length).fill(value);
}
