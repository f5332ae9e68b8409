import { rowRange } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { stackCodes } from "./code-rows.ts";
import { groupByKey } from "./group-by-key.ts";
import { LARGE_TILE, SMALL_TILE } from "./screen.wgsl.ts";
import { MOST_COLUMNS } from "./webgpu-bounds.ts";
import { GpuContext } from "./webgpu-context.ts";
import type { GpuDevice } from "./webgpu-device.ts";
import {
  CANDIDATE_BYTES,
  COUNTER_BYTES,
  type GpuSearch,
  MOST_GROUPS,
  searchPart,
  slotsPerRow,
} from "./webgpu-part.ts";
import { GpuPipelines } from "./webgpu-pipelines.ts";

/** Bytes on the device of each thing that grows with the rows: their values, slots, candidates. */
const PART_BYTES = 128 * 2 ** 20;

/** The search for candidates on a device: one at a time, in rows enough at once to keep to some hundred MiB of device memory. */
export class GpuScreen {
  readonly #gpu: GpuContext;
  readonly #pipelines: GpuPipelines;
  /** Bytes that a buffer may have. */
  readonly #most: number;
  /** Candidates of a row to make room for: somewhat more than the last search found. */
  #expected = 64;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(device: GpuDevice) {
    this.#gpu = new GpuContext(device);
    this.#most = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
    this.#pipelines = new GpuPipelines(this.#gpu);
  }

  /** Whether tiles of rows so wide, their slots, and one row's candidates of so many latents, fit into buffers of the device. */
  takes(columns: number, latents: number, top: number): boolean {
    const tileBytes = 4 * LARGE_TILE.size * Math.max(columns + 15, slotsPerRow(latents, top));
    const rowBytes = COUNTER_BYTES + CANDIDATE_BYTES * latents;
    return columns > 0 && columns <= MOST_COLUMNS && Math.max(tileBytes, rowBytes) <= this.#most;
  }

  /**
   * The candidates, ascending, with values of 1: every (row, latent) whose pre-activation is above both floors and among the `top` largest
   * of its row, and few others.
   */
  search(action: string, search: GpuSearch): Promise<SparseCode> {
    const result = this.#last.then(() => this.#search(action, search));
    this.#last = result.catch(() => {});
    return result;
  }

  /** Free what lies on the device, after the searches under way; later ones reject. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    this.#gpu.destroy();
  }

  async #search(action: string, search: GpuSearch): Promise<SparseCode> {
    if (this.#closed) throw new Error(`Cannot ${action}: the kernels are closed`);
    let failed: { readonly thrown: unknown } | null = null;
    const codes: SparseCode[] = [];
    try {
      for (let start = 0; start < search.rows.rows; start += codes[codes.length - 1].rows)
        codes.push(await this.#searchFrom(start, search));
    } catch (thrown) {
      failed = { thrown };
    }
    const failure = await this.#gpu.failure(failed?.thrown);
    if (failure === null) return stackCodes(codes, search.latents.rows);
    // Buffers may be invalid, or still be mapped.
    this.#gpu.destroy();
    throw new Error(`Cannot ${action} with WebGPU: ${failure.message}`, { cause: failure });
  }

  /** The candidates of as many rows from `start` as can be had at once. */
  async #searchFrom(start: number, { rows, latents, bias, floors }: GpuSearch): Promise<SparseCode> {
    const mostCandidates = this.#mostCandidates(latents.rows);
    let size = Math.min(rows.rows - start, this.#rowsAtOnce(rows.columns, latents.rows, floors.top));
    let capacity = Math.min(size * this.#expected, mostCandidates);
    for (;;) {
      const part = {
        rows: rowRange(rows, start, start + size),
        latents,
        bias,
        floors: { ...floors, rowFloor: floors.rowFloor.subarray(start, start + size) },
      };
      const { count, entries, rowFloor } = await searchPart(this.#gpu, this.#pipelines, part, capacity);
      this.#expected = Math.max(16, Math.ceil((1.25 * count) / size));
      if (entries !== null) return candidateCode(entries, rowFloor, size, latents.rows);
      // Nothing is lost: again, with the room it takes, or with fewer rows.
      if (count > mostCandidates) size = Math.ceil(size / 2);
      capacity = Math.min(count, mostCandidates);
    }
  }

  #mostCandidates(latents: number): number {
    const bytes = Math.max(Math.min(this.#most, PART_BYTES) - COUNTER_BYTES, CANDIDATE_BYTES * latents);
    return Math.floor(bytes / CANDIDATE_BYTES);
  }

  #rowsAtOnce(columns: number, latents: number, top: number): number {
    const bytes = Math.min(this.#most, PART_BYTES);
    const perRow = 4 * Math.max(16 * Math.ceil(columns / 16), slotsPerRow(latents, top));
    const rows = Math.min(
      LARGE_TILE.size * Math.max(1, Math.floor(bytes / (perRow * LARGE_TILE.size))),
      Math.floor(this.#mostCandidates(latents) / this.#expected),
      Math.floor((2 ** 32 - 1) / Math.max(1, latents)),
      SMALL_TILE.size * MOST_GROUPS,
    );
    return Math.max(1, rows);
  }
}

/** Candidates in order, less those that a floor has overtaken. */
function candidateCode(
  entries: Uint32Array,
  rowFloor: Float32Array,
  rows: number,
  columns: number,
): SparseCode {
  const upper = new Float32Array(entries.buffer, entries.byteOffset, entries.length);
  const row = new Int32Array(entries.length / 3);
  const latent = new Int32Array(entries.length / 3);
  let length = 0;
  for (let at = 0; at < entries.length; at += 3) {
    if (upper[at + 2] < rowFloor[entries[at]]) continue;
    row[length] = entries[at];
    latent[length++] = entries[at + 1];
  }
  // By latent, then by row, which leaves the latents of a row in order.
  const byLatent = groupByKey(latent.subarray(0, length), columns).order;
  const { offsets, order } = groupByKey(
    byLatent.map((entry) => row[entry]),
    rows,
  );
  const indices = order.map((entry) => latent[byLatent[entry]]);
  return { rows, columns, offsets, indices, values: new Float32Array(length).fill(1) };
}
