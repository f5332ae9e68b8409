import { type Matrix, rowRange } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { stackCodes } from "./code-rows.ts";
import { EntryList } from "./entry-list.ts";
import type { Floors } from "./selection-floors.ts";
import type { WasmInstance } from "./wasm-instance.ts";

/** Products of `rows` [b × d] with `directions` [m × d] to be searched for large values. */
export interface LatentScan {
  readonly rows: Matrix;
  readonly directions: Matrix;
  /** [m], added to the products. */
  readonly bias: Float32Array;
  readonly floors: Floors;
  /** Whether to scale rows and directions to length 1 first, and hold products to [-1, 1]. */
  readonly unit: boolean;
  /** How the entries of a row lie when there is a largest number of them. */
  readonly order: "by latent" | "best first";
}

/** Rows and latents that the kernels pack together; `PANEL` of kernels/src/kernels.h. */
const PANEL = 32;
/** Bytes of `Packed` there. */
const PACKED_BYTES = 12;
const ROW_BYTES = 8 * 2 ** 20;

/** The products above the floors of their rows and latents, a chunk of rows and a panel of latents at a time. */
export function scanLatents(wasm: WasmInstance, scan: LatentScan): SparseCode {
  const { rows, floors, directions } = scan;
  const most = rowsPerChunk(rows.columns, floors.top);
  const found: SparseCode[] = [];
  for (let start = 0; start < rows.rows; start += most) {
    const end = Math.min(start + most, rows.rows);
    const chunk = {
      ...scan,
      rows: rowRange(rows, start, end),
      floors: { ...floors, rowFloor: floors.rowFloor.subarray(start, end) },
    };
    found.push(scanChunk(wasm, chunk));
  }
  return stackCodes(found, directions.rows);
}

/** A multiple of PANEL, so that what is needed for so many rows is about ROW_BYTES. */
function rowsPerChunk(columns: number, top: number): number {
  const perRow = 6 * Math.ceil(columns / PANEL) * PANEL + 12 * PANEL + 8 * top;
  return PANEL * Math.max(1, Math.floor(ROW_BYTES / perRow / PANEL));
}

function scanChunk(
  wasm: WasmInstance,
  { rows, directions, bias, floors, unit, order }: LatentScan,
): SparseCode {
  const { functions } = wasm;
  const { columns } = rows;
  const { affine, top } = floors;
  const width = functions.packed_columns(columns);
  const paddedRows = PANEL * Math.ceil(rows.rows / PANEL);
  const at = wasm.reserve({
    rows: rows.rows * columns,
    packedRows: (paddedRows * width) / 2,
    aboutRows: (paddedRows * PACKED_BYTES) / 4,
    rowFloor: rows.rows,
    latents: PANEL * columns,
    packedLatents: (PANEL * width) / 2,
    aboutLatents: (PANEL * PACKED_BYTES) / 4,
    latentFloor: PANEL,
    bias: PANEL,
    scale: PANEL,
    offset: PANEL,
    foundRows: rows.rows * PANEL,
    foundLatents: rows.rows * PANEL,
    foundValues: rows.rows * PANEL,
    topSizes: rows.rows,
    topLatents: rows.rows * top,
    topValues: rows.rows * top,
    // The structures `Latents`, `Entries` and `Tops` of kernels.h: pointers and numbers of 4 bytes.
    latentsStructure: 4,
    entriesStructure: 3,
    topsStructure: 4,
  });
  const affineAt = affine === undefined ? [0, 0] : [at.scale, at.offset];
  wasm.ints(at.latentsStructure, 4).set([at.latentFloor, at.bias, ...affineAt]);
  wasm.ints(at.entriesStructure, 3).set([at.foundRows, at.foundLatents, at.foundValues]);
  wasm.ints(at.topsStructure, 4).set([top, at.topSizes, at.topLatents, at.topValues]);
  wasm.ints(at.topSizes, rows.rows).fill(0);
  wasm.floats(at.rowFloor, rows.rows).set(floors.rowFloor);
  wasm.loadRows(at.rows, rows, 0, rows.rows);
  if (unit) functions.normalise(at.rows, rows.rows, columns);
  for (let start = 0; start < rows.rows; start += PANEL)
    functions.pack(
      at.rows + 4 * start * columns,
      Math.min(PANEL, rows.rows - start),
      columns,
      0,
      at.packedRows + 2 * start * width,
      at.aboutRows + start * PACKED_BYTES,
    );

  const entries = new EntryList();
  for (let first = 0; first < directions.rows; first += PANEL) {
    const end = Math.min(first + PANEL, directions.rows);
    wasm.loadRows(at.latents, directions, first, end);
    if (unit) functions.normalise(at.latents, end - first, columns);
    functions.pack(at.latents, end - first, columns, 1, at.packedLatents, at.aboutLatents);
    wasm.floats(at.latentFloor, PANEL).set(floors.latentFloor.subarray(first, end));
    wasm.floats(at.bias, PANEL).set(bias.subarray(first, end));
    if (affine !== undefined) {
      wasm.floats(at.scale, PANEL).set(affine.scale.subarray(first, end));
      wasm.floats(at.offset, PANEL).set(affine.offset.subarray(first, end));
    }
    const candidates = functions.screen(
      at.packedRows,
      at.aboutRows,
      at.rowFloor,
      rows.rows,
      at.packedLatents,
      at.aboutLatents,
      at.latentsStructure,
      first,
      end - first,
      columns,
      at.entriesStructure,
    );
    const count = functions.score(
      at.rows,
      at.latents,
      columns,
      at.rowFloor,
      at.latentsStructure,
      unit ? 1 : Number.POSITIVE_INFINITY,
      first,
      at.entriesStructure,
      candidates,
    );
    if (top > 0) functions.offer(at.topsStructure, at.rowFloor, at.entriesStructure, count);
    else
      entries.append(
        wasm.ints(at.foundRows, count),
        wasm.ints(at.foundLatents, count),
        wasm.floats(at.foundValues, count),
      );
  }
  if (top > 0) {
    functions.order(at.topsStructure, rows.rows, Number(order === "by latent"));
    const sizes = wasm.ints(at.topSizes, rows.rows);
    for (let i = 0; i < rows.rows; i++) {
      const latents = wasm.ints(at.topLatents + 4 * i * top, sizes[i]);
      entries.append(
        new Int32Array(sizes[i]).fill(i),
        latents,
        wasm.floats(at.topValues + 4 * i * top, sizes[i]),
      );
    }
  }
  return entries.toCode(rows.rows, directions.rows);
}
