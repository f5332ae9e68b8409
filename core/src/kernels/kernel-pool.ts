import { UnsupportedError } from "../errors.ts";
import { type Matrix, rowRange, zeros } from "../tensor/matrix.ts";
import { allocateFloat32, allocateInt32 } from "../tensor/shared.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { allocateMatches } from "./allocate-matches.ts";
import {
  checkDecode,
  checkEncode,
  checkMatch,
  checkProject,
  checkUpdate,
  checkWalk,
} from "./check-arguments.ts";
import { codeRows, stackCodes } from "./code-rows.ts";
import type { KernelPort, KernelTask } from "./kernel-messages.ts";
import type { Kernels, Selection } from "./kernels.ts";
import { TaskQueue } from "./task-queue.ts";

/** Shares per thread, so that a thread that is slowed down gets fewer. */
const SHARES_PER_THREAD = 4;
/** Each share copies and packs all weights once; with this many rows that is a twentieth of its work. */
const LEAST_SHARE_ROWS = 1024;

/**
 * The WebAssembly kernels on `threads` workers, each made by `spawn`; rows are shared out among them.
 *
 * Arrays in shared memory (as `allocateFloat32` gives) are read where they are. Others are copied into it, once per call (what
 * `update` updates back as well), so weights that are used often should live there. Results do. Needs SharedArrayBuffer. Rejects when a worker cannot start.
 */
export async function createKernelPool(spawn: () => KernelPort, threads: number): Promise<Kernels> {
  if (!Number.isInteger(threads) || threads < 1)
    throw new RangeError(`Cannot open kernels on ${threads} threads, wanted a whole number of at least 1`);
  if (typeof SharedArrayBuffer === "undefined")
    throw new UnsupportedError(
      "Cannot open kernels on threads: this platform or page has no SharedArrayBuffer",
    );
  const queue = new TaskQueue(Array.from({ length: threads }, spawn));

  /** Run one task for each share of `rows` rows. */
  const share = (rows: number, task: (start: number, end: number) => KernelTask) => {
    const size = shareRows(rows, threads);
    const starts = Array.from({ length: Math.ceil(rows / size) }, (_, i) => i * size);
    return Promise.all(starts.map((start) => queue.run(task(start, Math.min(start + size, rows)))));
  };

  try {
    await Promise.all(Array.from({ length: threads }, () => queue.run({ kind: "open" })));
  } catch (error) {
    await queue.end("the kernels could not be opened");
    throw error;
  }
  return {
    name: `wasm, ${threads} ${threads === 1 ? "thread" : "threads"}`,

    async encode(x, encoder, bias, selection) {
      checkEncode(x, encoder, bias, selection);
      const all = {
        x: sharedMatrix(x),
        encoder: sharedMatrix(encoder),
        bias: sharedFloat32(bias),
        selection: sharedSelection(selection),
      };
      const codes = await share(x.rows, (start, end) => ({
        ...all,
        kind: "encode",
        x: rowRange(all.x, start, end),
        selection: selectionOfRows(all.selection, start, end),
      }));
      return stackCodes(codes as SparseCode[], encoder.rows);
    },

    async decode(code, decoder, base, sign) {
      checkDecode(code, decoder, base);
      const all = { code: sharedCode(code), decoder: sharedMatrix(decoder), base: sharedMatrix(base), sign };
      const out = zeros(base.rows, base.columns);
      await share(base.rows, (start, end) => ({
        ...all,
        kind: "decode",
        code: codeRows(all.code, start, end),
        base: rowRange(all.base, start, end),
        out: rowRange(out, start, end),
      }));
      return out;
    },

    async project(code, decoder, residual) {
      checkProject(code, decoder, residual);
      const all = {
        code: sharedCode(code),
        decoder: sharedMatrix(decoder),
        residual: sharedMatrix(residual),
      };
      const out = allocateFloat32(code.indices.length);
      await share(residual.rows, (start, end) => ({
        ...all,
        kind: "project",
        code: codeRows(all.code, start, end),
        residual: rowRange(all.residual, start, end),
        out: out.subarray(code.offsets[start], code.offsets[end]),
      }));
      return out;
    },

    async walk(code, decoder, residual, group) {
      checkWalk(code, decoder, residual, group);
      const all = {
        code: sharedCode(code),
        decoder: sharedMatrix(decoder),
        residual: sharedMatrix(residual),
        group: group && sharedInt32(group),
      };
      const out = allocateFloat32(code.indices.length);
      await share(residual.rows, (start, end) => ({
        ...all,
        kind: "walk",
        code: codeRows(all.code, start, end),
        residual: rowRange(all.residual, start, end),
        out: out.subarray(code.offsets[start], code.offsets[end]),
      }));
      return out;
    },

    async match(rows, among, wanted) {
      checkMatch(rows, among, wanted);
      const all = { rows: sharedMatrix(rows), among: sharedMatrix(among) };
      const count = Math.min(wanted, among.rows);
      const out = allocateMatches(rows.rows, count);
      await share(rows.rows, (start, end) => ({
        ...all,
        kind: "match",
        rows: rowRange(all.rows, start, end),
        out: {
          count,
          indices: out.indices.subarray(start * count, end * count),
          cosines: out.cosines.subarray(start * count, end * count),
        },
      }));
      return out;
    },

    async update(weights, moments, gradient, adam, { unitRows = false } = {}) {
      checkUpdate(weights, moments, gradient, adam);
      const all = {
        weights: sharedMatrix(weights),
        moments: { first: sharedMatrix(moments.first), second: sharedMatrix(moments.second) },
        gradient: gradient.map(({ code, rows }) => ({ code: sharedCode(code), rows: sharedMatrix(rows) })),
        adam,
        unitRows,
      };
      await share(weights.rows, (start, end) => ({
        ...all,
        kind: "update",
        weights: rowRange(all.weights, start, end),
        moments: {
          first: rowRange(all.moments.first, start, end),
          second: rowRange(all.moments.second, start, end),
        },
        gradient: all.gradient.map(({ code, rows }) => ({ code: codeRows(code, start, end), rows })),
      }));
      copyBack(all.weights, weights);
      copyBack(all.moments.first, moments.first);
      copyBack(all.moments.second, moments.second);
    },

    close: () => queue.end("the kernels are closed"),
  };
}

function shareRows(rows: number, threads: number): number {
  const even = Math.ceil(rows / threads);
  return Math.max(1, Math.min(even, Math.max(LEAST_SHARE_ROWS, Math.ceil(even / SHARES_PER_THREAD))));
}

function sharedFloat32(values: Float32Array): Float32Array {
  if (values.buffer instanceof SharedArrayBuffer) return values;
  const copy = allocateFloat32(values.length);
  copy.set(values);
  return copy;
}

function sharedInt32(values: Int32Array): Int32Array {
  if (values.buffer instanceof SharedArrayBuffer) return values;
  const copy = allocateInt32(values.length);
  copy.set(values);
  return copy;
}

function sharedMatrix(m: Matrix): Matrix {
  return { ...m, values: sharedFloat32(m.values) };
}

/** Give a matrix what became of its {@link sharedMatrix}. */
function copyBack(shared: Matrix, { values }: Matrix): void {
  if (shared.values !== values) values.set(shared.values);
}

function sharedCode(code: SparseCode): SparseCode {
  return { ...code, indices: sharedInt32(code.indices), values: sharedFloat32(code.values) };
}

function sharedSelection(selection: Selection): Selection {
  switch (selection.kind) {
    case "threshold": {
      const { kind, threshold, scale, offset } = selection;
      return {
        kind,
        threshold: sharedFloat32(threshold),
        ...(scale && { scale: sharedFloat32(scale) }),
        ...(offset && { offset: sharedFloat32(offset) }),
      };
    }
    case "row-threshold":
      return { ...selection, threshold: sharedFloat32(selection.threshold) };
    case "top":
      return selection;
    default:
      return selection satisfies never;
  }
}

/** The selection that rows `start` to `end` (exclusive) are under. */
function selectionOfRows(selection: Selection, start: number, end: number): Selection {
  return selection.kind === "row-threshold"
    ? { ...selection, threshold: selection.threshold.subarray(start, end) }
    : selection;
}
