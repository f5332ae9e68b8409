import { type Matrix, rowRange } from "../tensor/matrix.ts";
import { RAISED_ROWS } from "./raise.wgsl.ts";
import { LARGE_TILE, SMALL_TILE, type Tile } from "./screen.wgsl.ts";
import type { Floors } from "./selection-floors.ts";
import { ABSENT, biasError, productError, screenBias, screenFloor } from "./webgpu-bounds.ts";
import type { GpuContext } from "./webgpu-context.ts";
import type { GpuBuffer, GpuPass } from "./webgpu-device.ts";
import type { GpuPipelines } from "./webgpu-pipelines.ts";

/** Which products of rows [b × d] with latents [m × d] may pass. */
export interface GpuSearch {
  readonly rows: Matrix;
  readonly latents: Matrix;
  /** [m] */
  readonly bias: Float32Array;
  readonly floors: Floors;
}

/** What a search came to. */
export interface GpuFinding {
  /** Number of candidates, those included that there was no room for. */
  readonly count: number;
  /** Row, latent, and the bits of an upper bound of the pre-activation of each, in no order; null when there was no room for all. */
  readonly entries: Uint32Array | null;
  /** [b]; what the upper bound must reach, by row. */
  readonly rowFloor: Float32Array;
}

const LARGE = LARGE_TILE.size;
/** Bytes of the counter that the buffer of candidates begins with, and of one candidate. */
export const COUNTER_BYTES = 4;
export const CANDIDATE_BYTES = 12;
/** The most workgroups along one dimension of a dispatch here; WebGPU takes 65535. */
export const MOST_GROUPS = 2 ** 15;

/** Rows that a workgroup prepares. */
const PREPARED_ROWS = 32;
/** Bytes of a block of rows or latents on its way to the device. */
const BLOCK_BYTES = 16 * 2 ** 20;
/** Latents between two rises of the floors, where only the largest are kept. */
const LATENTS_PER_RISE = 2048;
/** With fewer tiles than that in a block, smaller tiles keep more of the device busy. */
const ENOUGH_TILES = 256;

/** Slots of a row, in which it is noted what its latents reach: enough for the largest to rarely share one. 0 when they would be of no use. */
export function slotsPerRow(latents: number, top: number): number {
  // Each column of threads has one slot for its latents.
  const threads = LARGE_TILE.threads * Math.ceil(latents / LARGE);
  return top === 0 || threads < top ? 0 : Math.min(threads, Math.max(64, 4 * top));
}

/**
 * Search all rows at once for candidates, with room for `capacity` of them. Weights go to the device in blocks, one being filled while it works
 * on the one before; nothing comes back until the end.
 *
 * Where the largest are wanted, the first block is gone through twice, first to learn what the largest of each row surely
 * reach; after each block the floors of the rows rise to that.
 */
export async function searchPart(
  gpu: GpuContext,
  pipelines: GpuPipelines,
  search: GpuSearch,
  capacity: number,
): Promise<GpuFinding> {
  const { rows, latents, floors } = search;
  const layout = layOut(search, capacity);
  const steps = {
    prepare: await pipelines.prepare,
    screen: await pipelines.screen(layout.tile),
    raise: layout.slots > 0 ? await pipelines.raise : null,
  };
  const buffers = reserveBuffers(gpu, layout);

  const rowFloor = new Float32Array(layout.rowStride).fill(ABSENT);
  floors.rowFloor.forEach((floor, i) => {
    rowFloor[i] = screenFloor(floor);
  });
  gpu.write(buffers.rowFloor, rowFloor);
  gpu.write(buffers.ranking, Uint32Array.of(rows.rows, layout.rowStride, layout.slots, floors.top));
  gpu.submit((commands) => {
    commands.clearBuffer(buffers.candidates, 0, COUNTER_BYTES);
    commands.clearBuffer(buffers.slots);
  });

  /** Send rows or latents, lay them out from place `first`, and go on with `then`. */
  const send = async (
    block: Matrix,
    packed: GpuBuffer,
    about: GpuBuffer,
    first: number,
    stride: number,
    then: (pass: GpuPass) => void = () => {},
  ) => {
    const uploaded = await gpu.upload(block.values, layout.blockValues);
    gpu.write(buffers.batch, Uint32Array.of(block.rows, block.columns, first, stride));
    gpu.submit((commands) => {
      commands.copyBufferToBuffer(uploaded, 0, buffers.values, 0, 4 * block.values.length);
      const pass = commands.beginComputePass();
      const bindings = [buffers.batch, buffers.values, packed, about];
      gpu.dispatch(pass, steps.prepare, bindings, Math.ceil(block.rows / PREPARED_ROWS));
      then(pass);
      pass.end();
    });
  };

  for (const [first, block] of blocks(rows, layout.blockRows))
    await send(block, buffers.rows, buffers.aboutRows, first, layout.rowStride);

  for (const [first, block] of blocks(latents, layout.blockLatents)) {
    const stride = padded(block.rows, LARGE);
    const screen = (pass: GpuPass, shape: GpuBuffer) => {
      const { aboutRows, aboutLatents, latentValues, slots, candidates } = buffers;
      const about = [aboutRows, aboutLatents, latentValues, buffers.rowFloor];
      const bindings = [shape, buffers.rows, buffers.latents, ...about, slots, candidates];
      const tiles = [block.rows, rows.rows].map((length) => Math.ceil(length / layout.tile.size));
      gpu.dispatch(pass, steps.screen, bindings, tiles[0], tiles[1]);
      if (steps.raise === null) return;
      const ranked = [buffers.ranking, slots, buffers.rowFloor];
      gpu.dispatch(pass, steps.raise, ranked, Math.ceil(rows.rows / RAISED_ROWS));
    };
    gpu.write(buffers.latentValues, valuesOfLatents(search, first, first + block.rows, stride));
    gpu.write(buffers.shape, shapeOf(layout, first, stride, capacity));
    gpu.write(buffers.rankingShape, shapeOf(layout, first, stride, 0));
    await send(block, buffers.latents, buffers.aboutLatents, 0, stride, (pass) => {
      if (first === 0 && layout.slots > 0) screen(pass, buffers.rankingShape);
      screen(pass, buffers.shape);
    });
  }

  const [count] = new Uint32Array(await gpu.download(buffers.candidates, COUNTER_BYTES));
  if (count > capacity) return { count, entries: null, rowFloor };
  const found = await gpu.download(buffers.candidates, COUNTER_BYTES + count * CANDIDATE_BYTES);
  const raised = await gpu.download(buffers.rowFloor, 4 * rows.rows);
  return { count, entries: new Uint32Array(found, COUNTER_BYTES), rowFloor: new Float32Array(raised) };
}

/** Sizes of what lies on the device, in values, rows or latents. */
interface Layout {
  readonly tile: Tile;
  readonly rowStride: number;
  readonly columns: number;
  /** Columns with what fills them up. */
  readonly width: number;
  readonly slots: number;
  readonly blockRows: number;
  readonly blockLatents: number;
  readonly blockValues: number;
  readonly capacity: number;
}

function layOut({ rows, latents, floors }: GpuSearch, capacity: number): Layout {
  const { columns } = rows;
  const slots = slotsPerRow(latents.rows, floors.top);
  const fitting = LARGE * Math.max(1, Math.floor(BLOCK_BYTES / (4 * columns * LARGE)));
  const most = Math.min(fitting, PREPARED_ROWS * MOST_GROUPS);
  const rowStride = padded(rows.rows, LARGE);
  const blockRows = Math.min(most, rowStride);
  const blockLatents = Math.min(
    most,
    padded(latents.rows, LARGE),
    slots > 0 ? LATENTS_PER_RISE : Number.POSITIVE_INFINITY,
  );
  const tiles = (rowStride * blockLatents) / LARGE ** 2;
  return {
    tile: tiles >= ENOUGH_TILES ? LARGE_TILE : SMALL_TILE,
    rowStride,
    columns,
    width: padded(columns, 16),
    slots,
    blockRows,
    blockLatents,
    blockValues: Math.max(blockRows, blockLatents) * columns,
    capacity,
  };
}

function reserveBuffers(gpu: GpuContext, layout: Layout) {
  const { rowStride, width, blockLatents } = layout;
  const storage = (name: string, length: number) => gpu.reserve(name, 4 * length, "storage");
  const uniform = (name: string) => gpu.reserve(name, 32, "uniform");
  return {
    values: storage("values", layout.blockValues),
    rows: storage("rows", width * rowStride),
    aboutRows: storage("about rows", 2 * rowStride),
    rowFloor: storage("row floor", rowStride),
    latents: storage("latents", width * blockLatents),
    aboutLatents: storage("about latents", 2 * blockLatents),
    latentValues: storage("latent values", 3 * blockLatents),
    slots: storage("slots", rowStride * layout.slots),
    candidates: gpu.reserve("candidates", COUNTER_BYTES + layout.capacity * CANDIDATE_BYTES, "storage"),
    batch: uniform("batch"),
    shape: uniform("shape"),
    rankingShape: uniform("ranking shape"),
    ranking: uniform("ranking"),
  };
}

/** `Shape` of the screen, for a block from latent `first`. */
function shapeOf(
  { rowStride, width, slots, columns }: Layout,
  first: number,
  stride: number,
  capacity: number,
): Uint32Array<ArrayBuffer> {
  const shape = Uint32Array.of(rowStride, stride, width / 16, first, slots, capacity, 0);
  new Float32Array(shape.buffer)[6] = productError(columns);
  return shape;
}

/** Biases, their errors, and floors of latents `start` to `end` (exclusive), each [stride]. */
function valuesOfLatents(
  { bias, floors }: GpuSearch,
  start: number,
  end: number,
  stride: number,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(3 * stride).fill(ABSENT, 2 * stride);
  for (let j = start; j < end; j++) {
    values[j - start] = screenBias(bias[j]);
    values[stride + j - start] = biasError(bias[j]);
    // With a bias of NaN or minus infinity nothing is above anything.
    const possible = bias[j] > Number.NEGATIVE_INFINITY;
    values[2 * stride + j - start] = possible ? screenFloor(floors.latentFloor[j]) : ABSENT;
  }
  return values;
}

/** Stretches of at most `size` rows, each with the number of its first. */
function blocks(m: Matrix, size: number): [number, Matrix][] {
  return Array.from({ length: Math.ceil(m.rows / size) }, (_, i) => [
    i * size,
    rowRange(m, i * size, Math.min((i + 1) * size, m.rows)),
  ]);
}

function padded(length: number, multiple: number): number {
  return multiple * Math.ceil(length / multiple);
}
