import type { Matrix } from "../tensor/matrix.ts";
import { adamFactors } from "./adam-factors.ts";
import type { AdamMoments, AdamStep, GradientTerm } from "./kernels.ts";
import { eachChunk, SLOTS } from "./wasm-batches.ts";
import { addCode } from "./wasm-decode.ts";
import type { WasmInstance } from "./wasm-instance.ts";

/** Rows whose weights and both moments fit where directions lay. */
const ROWS_PER_STEP = Math.floor(SLOTS / 3);

/** `Kernels.update` in the calling thread; arguments fit together. */
export function wasmUpdate(
  wasm: WasmInstance,
  weights: Matrix,
  { first, second }: AdamMoments,
  gradient: readonly GradientTerm[],
  adam: AdamStep,
  unitRows: boolean,
): void {
  const { columns } = weights;
  const { keepFirst, takeFirst, keepSecond, takeSecond, rate, scale, epsilon } = adamFactors(adam);
  const { remove_parallel, adam_step, normalise } = wasm.functions;
  eachChunk(wasm, weights.rows, columns, 1, (start, end, at) => {
    wasm.floats(at.dense, (end - start) * columns).fill(0);
    for (const { code, rows } of gradient) addCode(wasm, code, start, end, rows, 1, at);

    // The gradient of the chunk is complete, so that the room of its directions is free.
    const room = ROWS_PER_STEP * 4 * columns;
    const [atWeights, atFirst, atSecond] = [at.directions, at.directions + room, at.directions + 2 * room];
    for (let i = start; i < end; i += ROWS_PER_STEP) {
      const stop = Math.min(i + ROWS_PER_STEP, end);
      const atGradient = at.dense + 4 * (i - start) * columns;
      wasm.loadRows(atWeights, weights, i, stop);
      wasm.loadRows(atFirst, first, i, stop);
      wasm.loadRows(atSecond, second, i, stop);
      if (unitRows) remove_parallel(atGradient, atWeights, stop - i, columns);
      adam_step(
        atWeights,
        atFirst,
        atSecond,
        atGradient,
        (stop - i) * columns,
        keepFirst,
        takeFirst,
        keepSecond,
        takeSecond,
        rate,
        scale,
        epsilon,
      );
      if (unitRows) normalise(atWeights, stop - i, columns);
      wasm.storeRows(atWeights, weights, i, stop);
      wasm.storeRows(atFirst, first, i, stop);
      wasm.storeRows(atSecond, second, i, stop);
    }
  });
}
