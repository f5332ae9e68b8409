import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import type { KernelPort } from "../kernels/kernel-messages.ts";
import { createKernelPool } from "../kernels/kernel-pool.ts";
import type { Kernels } from "../kernels/kernels.ts";

/** The WebAssembly kernels on worker threads; as `openKernels` with the engine "wasm". */
export function openWasmThreads(threads: number): Promise<Kernels> {
  return createKernelPool(spawnThread, threads);
}

/** A worker thread in the shape of a browser's worker; it keeps the process alive only while it owes an answer. */
function spawnThread(): KernelPort {
  // By the package's own name, so that the built file is found from the TypeScript source too.
  const file = createRequire(import.meta.url).resolve("@saestitch/core/node/kernel-worker");
  const worker = new Worker(file, { execArgv: [] });
  let owed = 0;
  let terminated = false;
  const port: KernelPort = {
    onmessage: null,
    onerror: null,
    postMessage(task) {
      owed++;
      worker.ref();
      worker.postMessage(task);
    },
    terminate() {
      terminated = true;
      return worker.terminate();
    },
  };
  worker.on("message", (data) => {
    owed--;
    // Once terminated it must keep the process alive until it has ended, or whoever waits for that would wait in vain.
    if (owed === 0 && !terminated) worker.unref();
    port.onmessage?.({ data });
  });
  worker.on("messageerror", ({ message }) => port.onerror?.({ message }));
  worker.on("error", ({ message }) => port.onerror?.({ message }));
  worker.on("exit", (status) => {
    if (!terminated) port.onerror?.({ message: `it exited with status ${status}` });
  });
  return port;
}
