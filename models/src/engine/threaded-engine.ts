import { FormatError, UnsupportedError } from "@saestitch/core";
import type { Engine, HostTensor, KeptTensor } from "./engine.ts";
import type { EngineAnswer, EngineCall, EngineRequest, EngineResults } from "./engine-messages.ts";

/** A thread that serves an engine, as it is seen from outside. */
export interface EngineThread {
  postMessage(request: EngineRequest, transfer: ArrayBuffer[]): void;
  /** Called with each answer, and with the reason when the thread has died. */
  listen(onAnswer: (answer: EngineAnswer) => void, onDeath: (reason: string) => void): void;
  terminate(): Promise<unknown>;
}

/**
 * An engine that runs on a thread of its own, so that this one goes on working meanwhile. Closing it ends the thread once it has done what it was
 * asked for before. Rejects when the engine cannot be opened.
 */
export async function createThreadedEngine(thread: EngineThread): Promise<Engine> {
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  let nextId = 1;
  let death: string | undefined;
  let closing: Promise<void> | undefined;

  thread.listen(
    (answer) => {
      const call = waiting.get(answer.id);
      waiting.delete(answer.id);
      if ("result" in answer) call?.resolve(answer.result);
      else call?.reject(errorOf(answer.error));
    },
    (reason) => {
      // The first reason is the cause of those that follow.
      death ??= reason;
      for (const { reject } of waiting.values()) reject(deathOf(death));
      waiting.clear();
    },
  );

  async function request<Kind extends EngineCall["kind"]>(
    call: Extract<EngineCall, { kind: Kind }>,
    transfer: ArrayBuffer[] = [],
  ): Promise<EngineResults[Kind]> {
    if (death !== undefined) throw deathOf(death);
    const id = nextId++;
    thread.postMessage({ id, call }, transfer);
    return answerTo<EngineResults[Kind]>(id);
  }
  function answerTo<Result>(id: number): Promise<Result> {
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
    });
  }

  const name = await answerTo<string>(0).catch(async (error) => {
    await thread.terminate();
    throw error;
  });

  return {
    name,
    async load(graph) {
      const { session, inputs, outputs } = await request<"load">({ kind: "load", graph });
      return {
        inputs,
        outputs,
        run: (feeds, wanted) => request<"run">({ kind: "run", session, feeds, wanted }, buffersOf(feeds)),
        close: () => request<"close-session">({ kind: "close-session", session }),
      };
    },
    release: (tensors) => request<"release">({ kind: "release", tensors }),
    close() {
      closing ??= request<"close">({ kind: "close" })
        // A thread that has died is closed.
        .catch(() => {})
        .then(async () => void (await thread.terminate()));
      death ??= "it was closed";
      return closing;
    },
  };
}

/** Errors lose their classes on the way between threads. */
function errorOf({ name, message }: { readonly name: string; readonly message: string }): Error {
  const known = [FormatError, UnsupportedError].find((candidate) => candidate.name === name);
  return new (known ?? Error)(message);
}

function deathOf(reason: string): Error {
  return new Error(`The thread that runs the model has ended: ${reason}`);
}

/** Each memory once, though several tensors may lie in it; shared memory is not handed over but seen by both sides. */
function buffersOf(feeds: Readonly<Record<string, HostTensor | KeptTensor>>): ArrayBuffer[] {
  const buffers = Object.values(feeds).flatMap((tensor) => ("data" in tensor ? [tensor.data.buffer] : []));
  return [...new Set(buffers)].filter((buffer) => buffer instanceof ArrayBuffer);
}
