import type { Matrix } from "../tensor/matrix.ts";
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
  { rate, beta1, beta2, epsilon, step }: AdamStep,
  unitRows: boolean,
): void {
  const quads = Math.ceil(weights.columns / 4);
  const scaledRate = rate / (1 - beta1 ** step);
  const scale = Math.sqrt(1 / (1 - beta2 ** step));
  const { remove_parallel, adam_step, normalise } = wasm.functions;
  eachChunk(wasm, weights.rows, quads, 1, (start, end, at) => {
    wasm.floats(at.dense, (end - start) * 4 * quads).fill(0);
    for (const { code, rows } of gradient) addCode(wasm, code, start, end, rows, 1, at);

    // The gradient of the chunk is complete, so that the room of its directions is free.
    const room = ROWS_PER_STEP * 16 * quads;
    const [atWeights, atFirst, atSecond] = [at.directions, at.directions + room, at.directions + 2 * room];
    for (let i = start; i < end; i += ROWS_PER_STEP) {
      const stop = Math.min(i + ROWS_PER_STEP, end);
      const atGradient = at.dense + (i - start) * 16 * quads;
      wasm.loadRows(atWeights, weights, i, stop, quads);
      wasm.loadRows(atFirst, first, i, stop, quads);
      wasm.loadRows(atSecond, second, i, stop, quads);
      if (unitRows) remove_parallel(atGradient, atWeights, stop - i, quads);
      adam_step(
        atWeights,
        atFirst,
        atSecond,
        atGradient,
        (stop - i) * quads,
        beta1,
        1 - beta1,
        beta2,
        1 - beta2,
        scaledRate,
        scale,
        epsilon,
      );
      if (unitRows) normalise(atWeights, stop - i, quads);
      wasm.storeRows(atWeights, weights, i, stop, quads);
      wasm.storeRows(atFirst, first, i, stop, quads);
      wasm.storeRows(atSecond, second, i, stop, quads);
    }
  });
}
