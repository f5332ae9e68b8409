import type { Matrix } from "../tensor/matrix.ts";
import { wasmBase64 } from "./kernels.wasm.ts";

/** Functions of kernels/src/kernels.h; pointers are byte offsets into the instance's memory. */
interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly __heap_base: { readonly value: number };
  packed_columns(columns: number): number;
  pack(rows: number, count: number, columns: number, side: number, panel: number, about: number): void;
  screen(
    packedRows: number,
    aboutRows: number,
    rowFloor: number,
    rows: number,
    packedLatents: number,
    aboutLatents: number,
    latents: number,
    firstLatent: number,
    count: number,
    columns: number,
    candidates: number,
  ): number;
  score(
    rows: number,
    directions: number,
    columns: number,
    rowFloor: number,
    latents: number,
    limit: number,
    firstLatent: number,
    candidates: number,
    count: number,
  ): number;
  offer(tops: number, rowFloor: number, entries: number, count: number): void;
  order(tops: number, rows: number, byLatent: number): void;
  add_directions(
    out: number,
    directions: number,
    columns: number,
    row: number,
    slot: number,
    weight: number,
    sign: number,
    count: number,
  ): void;
  project_directions(
    rows: number,
    directions: number,
    columns: number,
    row: number,
    slot: number,
    product: number,
    count: number,
  ): void;
  walk_directions(
    start: number,
    left: number,
    directions: number,
    columns: number,
    row: number,
    slot: number,
    fresh: number,
    value: number,
    count: number,
  ): void;
  normalise(rows: number, count: number, columns: number): void;
  remove_parallel(gradient: number, rows: number, count: number, columns: number): void;
  adam_step(
    weights: number,
    first: number,
    second: number,
    gradient: number,
    count: number,
    keepFirst: number,
    takeFirst: number,
    keepSecond: number,
    takeSecond: number,
    rate: number,
    scale: number,
    epsilon: number,
  ): void;
}

/** The part of the WebAssembly API used here; Node's types lack it. */
declare const WebAssembly: {
  instantiate(bytes: Uint8Array): Promise<{ instance: { exports: unknown } }>;
};

const PAGE = 65536;

/** One instance of the WebAssembly kernels: its functions, and a memory that holds the blocks being worked on. */
export class WasmInstance {
  readonly functions: KernelExports;
  #floats: Float32Array;
  #ints: Int32Array;

  static async open(): Promise<WasmInstance> {
    const bytes = Uint8Array.from(atob(wasmBase64), (character) => character.charCodeAt(0));
    const { instance } = await WebAssembly.instantiate(bytes);
    return new WasmInstance(instance.exports as KernelExports);
  }

  private constructor(functions: KernelExports) {
    this.functions = functions;
    this.#floats = new Float32Array(functions.memory.buffer);
    this.#ints = new Int32Array(functions.memory.buffer);
  }

  /** Size of the memory; it grows to what the largest call needed. */
  get memoryBytes(): number {
    return this.functions.memory.buffer.byteLength;
  }

  /**
   * Lay out regions of the given lengths (in 4-byte values) one after another and return their byte offsets, each on a
   * cache line. What an earlier call laid out, and every view taken, is gone.
   */
  reserve<Name extends string>(lengths: Record<Name, number>): Record<Name, number> {
    const offsets = {} as Record<Name, number>;
    let end = this.functions.__heap_base.value;
    for (const name in lengths) {
      offsets[name] = Math.ceil(end / 64) * 64;
      end = offsets[name] + 4 * lengths[name];
    }
    const { memory } = this.functions;
    if (end > memory.buffer.byteLength) {
      memory.grow(Math.ceil((end - memory.buffer.byteLength) / PAGE));
      this.#floats = new Float32Array(memory.buffer);
      this.#ints = new Int32Array(memory.buffer);
    }
    return offsets;
  }

  /** `length` float32 values at byte `offset`, as a view. */
  floats(offset: number, length: number): Float32Array {
    return this.#floats.subarray(offset / 4, offset / 4 + length);
  }

  /** `length` int32 values at byte `offset`, as a view. */
  ints(offset: number, length: number): Int32Array {
    return this.#ints.subarray(offset / 4, offset / 4 + length);
  }

  /** Copy rows `start` to `end` (exclusive) of a matrix to byte `offset`. */
  loadRows(offset: number, { columns, values }: Matrix, start: number, end: number): void {
    this.#floats.set(values.subarray(start * columns, end * columns), offset / 4);
  }

  /** The other way: copy rows at byte `offset` to rows `start` to `end` (exclusive) of a matrix. */
  storeRows(offset: number, { columns, values }: Matrix, start: number, end: number): void {
    values.set(this.floats(offset, (end - start) * columns), start * columns);
  }
}
