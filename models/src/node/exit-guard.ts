/**
 * Memory by which a thread says whether it is inside ONNX Runtime, and is told that the process ends. A process that ends, or ends the thread,
 * while it is inside is aborted by ONNX Runtime's binding instead.
 */
export type ExitGuard = Int32Array<SharedArrayBuffer>;

/** Places in the memory. */
const inside = 0;
const ending = 1;

/** A process is not kept from ending for longer than this, in ms. */
const longestWait = 10_000;

/** A guard for one thread; to be handed to it. */
export function createExitGuard(): ExitGuard {
  return new Int32Array(new SharedArrayBuffer(8));
}

/** In the thread: do `work`, which ends before the process does; once that ends, nothing more is begun, and the promise is never settled. */
export async function guarded<Result>(guard: ExitGuard, work: () => Promise<Result>): Promise<Result> {
  Atomics.store(guard, inside, 1);
  try {
    // Only now, so that either this sees that the process ends, or that sees this.
    if (Atomics.load(guard, ending) === 1) return await new Promise<never>(() => leave(guard));
    return await work();
  } finally {
    leave(guard);
  }
}

/** In the thread that ends the process: wait until the other is out of ONNX Runtime. */
export function awaitThread(guard: ExitGuard): void {
  Atomics.store(guard, ending, 1);
  Atomics.wait(guard, inside, 1, longestWait);
}

function leave(guard: ExitGuard): void {
  Atomics.store(guard, inside, 0);
  Atomics.notify(guard, inside);
}
