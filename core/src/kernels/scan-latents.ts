import type { Matrix } from "../tensor/matrix.ts";
import type { WasmInstance } from "./wasm-instance.ts";

/** What {@link scanLatents} found in one block: entry i is latent `latents[i]` of row `rows[i]`. Views, soon overwritten. */
export interface Found {
  readonly rows: Int32Array;
  readonly latents: Int32Array;
  readonly values: Float32Array;
}

/** Products of `rows` [b × d] with `directions` [m × d] to be searched for large values. */
export interface LatentScan {
  readonly rows: Matrix;
  readonly directions: Matrix;
  /** [b]; what a product must exceed, by row. */
  readonly rowFloor: Float32Array;
  /** [m]; what a product must exceed, by latent; nothing when absent. */
  readonly latentFloor?: Float32Array;
  /** [m], added to the products; zero when absent. */
  readonly bias?: Float32Array;
  /** Whether to scale rows and directions to length 1 first. */
  readonly unit?: boolean;
}

const ROW_BYTES = 4 * 2 ** 20;
const BLOCK_BYTES = 2 ** 18;
const MOST_BLOCK_LATENTS = 64;

/** How many rows to scan at once so that what they need, `extraBytes` per row besides themselves, stays a few MiB. */
export function rowsPerScan(columns: number, extraBytes = 0): number {
  const perRow = 16 * Math.ceil(columns / 4) + 12 * blockLatents(columns) + extraBytes;
  return Math.max(2, 2 * Math.floor(ROW_BYTES / perRow / 2));
}

/**
 * Compute all products block of latents by block of latents, and give `drain` after each block those above both floors, for
 * every row by ascending latent. `drain` may raise `rowFloor` (a view, [b]) for the blocks to come.
 */
export function scanLatents(
  wasm: WasmInstance,
  { rows, directions, rowFloor, latentFloor, bias, unit = false }: LatentScan,
  drain: (found: Found, rowFloor: Float32Array) => void,
): void {
  const quads = Math.ceil(rows.columns / 4);
  const evenRows = 2 * Math.ceil(rows.rows / 2);
  const most = blockLatents(rows.columns);
  const at = wasm.reserve({
    x: evenRows * 4 * quads,
    rowFloor: evenRows,
    block: most * 4 * quads,
    bias: most,
    latentFloor: most,
    foundRows: rows.rows * most,
    foundLatents: rows.rows * most,
    foundValues: rows.rows * most,
  });
  wasm.loadRows(at.x, rows, 0, rows.rows, quads);
  const liveRowFloor = wasm.floats(at.rowFloor, evenRows);
  liveRowFloor.fill(Number.POSITIVE_INFINITY).set(rowFloor);
  if (unit) wasm.functions.normalise(at.x, rows.rows, quads);

  for (let first = 0; first < directions.rows; first += most) {
    const end = Math.min(first + most, directions.rows);
    wasm.loadRows(at.block, directions, first, end, quads);
    if (unit) wasm.functions.normalise(at.block, end - first, quads);
    if (bias !== undefined) wasm.floats(at.bias, end - first).set(bias.subarray(first, end));
    else wasm.floats(at.bias, most).fill(0);
    const blockFloor = wasm.floats(at.latentFloor, most).fill(Number.POSITIVE_INFINITY);
    if (latentFloor !== undefined) blockFloor.set(latentFloor.subarray(first, end));
    else blockFloor.fill(Number.NEGATIVE_INFINITY, 0, end - first);

    const count = wasm.functions.select_latents(
      at.x,
      at.rowFloor,
      evenRows,
      at.block,
      at.bias,
      at.latentFloor,
      first,
      Math.ceil((end - first) / 4),
      quads,
      at.foundRows,
      at.foundLatents,
      at.foundValues,
    );
    if (count === 0) continue;
    const found = {
      rows: wasm.ints(at.foundRows, count),
      latents: wasm.ints(at.foundLatents, count),
      values: wasm.floats(at.foundValues, count),
    };
    drain(found, liveRowFloor);
  }
}

function blockLatents(columns: number): number {
  const fitting = Math.floor(BLOCK_BYTES / (16 * Math.max(1, Math.ceil(columns / 4))));
  return Math.min(MOST_BLOCK_LATENTS, Math.max(4, 4 * Math.floor(fitting / 4)));
}
