import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import type { Engine } from "../engine/engine.ts";
import { createThreadedEngine, type EngineThread } from "../engine/threaded-engine.ts";
import { awaitThread, createExitGuard } from "./exit-guard.ts";
import type { EngineOptions } from "./local-engine.ts";

/** What a thread is started with. */
export interface EngineThreadData {
  readonly options: EngineOptions;
  readonly guard: ReturnType<typeof createExitGuard>;
}

/**
 * ONNX Runtime on a thread of its own, because a run blocks the thread it is called from. Rejects with UnsupportedError as
 * `openLocalEngine` does. It keeps the process alive only while it owes an answer; a process that exits meanwhile waits for what is being run,
 * for what is waiting it does not.
 */
export function openEngine(options: EngineOptions = {}): Promise<Engine> {
  return createThreadedEngine(spawnThread(options));
}

function spawnThread(options: EngineOptions): EngineThread {
  // By the package's own name, so that the built file is found from the TypeScript source too.
  const file = createRequire(import.meta.url).resolve("@saestitch/models/node/engine-worker");
  const data: EngineThreadData = { options, guard: createExitGuard() };
  const worker = new Worker(file, { workerData: data, execArgv: [] });
  const onExit = () => awaitThread(data.guard);
  process.once("exit", onExit);
  worker.once("exit", () => process.off("exit", onExit));
  // The first answer, that the engine is open, is owed from the start.
  let owed = 1;
  return {
    postMessage(request, transfer) {
      // First, for it throws where the memory was handed over before; then nothing is owed.
      worker.postMessage(request, transfer);
      owed++;
      worker.ref();
    },
    listen(onAnswer, onDeath) {
      worker.on("message", (answer) => {
        if (--owed === 0) worker.unref();
        onAnswer(answer);
      });
      worker.on("messageerror", ({ message }) => onDeath(message));
      worker.on("error", ({ message }) => onDeath(message));
      worker.on("exit", (status) => onDeath(`it exited with status ${status}`));
    },
    terminate: () => worker.terminate(),
  };
}
