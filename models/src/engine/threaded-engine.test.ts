import { FormatError, UnsupportedError } from "@saestitch/core";
import { expect, test } from "vitest";
import type { Engine, EngineSession, HostTensor } from "./engine.ts";
import type { EngineAnswer, EngineRequest } from "./engine-messages.ts";
import { type EngineServerPort, serveEngine } from "./serve-engine.ts";
import { createThreadedEngine, type EngineThread } from "./threaded-engine.ts";

const graph = { bytes: new Uint8Array() };
const tensor = (...values: number[]): HostTensor => ({
  type: "float32",
  dims: [values.length],
  data: Float32Array.from(values),
});

/** A thread whose messages are copied, or moved, as between real ones; `die` is called with why it ends. */
function threadServing(open: () => Promise<Engine>) {
  const listeners: { answer?: (answer: EngineAnswer) => void; death?: (reason: string) => void } = {};
  let terminated = 0;
  let serve: (request: EngineRequest) => void = () => {};
  const port: EngineServerPort = {
    postMessage(answer, transfer) {
      const arrived = structuredClone(answer, { transfer });
      setTimeout(() => listeners.answer?.(arrived), 0);
    },
    on(_, listener) {
      serve = listener;
    },
  };
  const thread: EngineThread = {
    postMessage(request, transfer) {
      const arrived = structuredClone(request, { transfer });
      setTimeout(() => serve(arrived), 0);
    },
    listen(answer, death) {
      Object.assign(listeners, { answer, death });
    },
    async terminate() {
      terminated++;
      listeners.answer = () => {};
      listeners.death?.("it was terminated");
    },
  };
  serveEngine(port, open);
  return { thread, die: (reason: string) => listeners.death?.(reason), terminated: () => terminated };
}

/** An engine whose only graph gives back what it is fed. */
function echoEngine(session: Partial<EngineSession> = {}, engine: Partial<Engine> = {}): Engine {
  return {
    name: "echo",
    load: async () => ({
      inputs: [],
      outputs: [],
      run: async (feeds) => ({ fetched: feeds as Record<string, HostTensor>, kept: {} }),
      close: async () => {},
      ...session,
    }),
    release: async () => {},
    close: async () => {},
    ...engine,
  };
}

test("createThreadedEngine() moves what is fed and fetched, and copies nothing", async () => {
  const { thread } = threadServing(async () => echoEngine());
  const engine = await createThreadedEngine(thread);
  const session = await engine.load(graph);
  const x = tensor(1, 2);
  const { fetched } = await session.run({ x }, { fetch: ["x"] });
  expect(fetched).toEqual({ x: tensor(1, 2) });
  expect(x.data.length).toBe(0);
});

test("createThreadedEngine() rejects a run with memory that was handed over before, and goes on", async () => {
  const { thread } = threadServing(async () => echoEngine());
  const session = await (await createThreadedEngine(thread)).load(graph);
  const x = tensor(1);
  await session.run({ x }, {});
  await expect(session.run({ x }, {})).rejects.toThrow();
  expect((await session.run({ x: tensor(3) }, {})).fetched).toEqual({ x: tensor(3) });
});

test("createThreadedEngine() rejects, and ends the thread, when the engine cannot be opened", async () => {
  const { thread, terminated } = threadServing(async () => {
    throw new UnsupportedError("there is none");
  });
  const opening = createThreadedEngine(thread);
  await expect(opening).rejects.toThrow(new UnsupportedError("there is none"));
  await expect(opening).rejects.toBeInstanceOf(UnsupportedError);
  expect(terminated()).toBe(1);
});

test("createThreadedEngine() keeps the kind of an error, and its message", async () => {
  const refusals = [new FormatError("not a graph"), new Error("no such thing"), "plain text"];
  const { thread } = threadServing(async () =>
    echoEngine(
      {},
      {
        load: async () => {
          throw refusals.shift();
        },
      },
    ),
  );
  const engine = await createThreadedEngine(thread);
  await expect(engine.load(graph)).rejects.toThrow(new FormatError("not a graph"));
  await expect(engine.load(graph)).rejects.toThrow(new Error("no such thing"));
  await expect(engine.load(graph)).rejects.toThrow("plain text");
});

test("createThreadedEngine() rejects what waits when the thread dies, and everything after, with the first reason", async () => {
  const { thread, die } = threadServing(async () => echoEngine({ run: () => new Promise(() => {}) }));
  const engine = await createThreadedEngine(thread);
  const session = await engine.load(graph);
  const waiting = [session.run({}, {}), session.run({}, {}), engine.release([])].map((call) =>
    call.then(
      () => "resolved",
      ({ message }: Error) => message,
    ),
  );
  die("it ran out of memory");
  die("it exited with status 1");
  const reason = "The thread that runs the model has ended: it ran out of memory";
  expect((await Promise.all(waiting)).slice(0, 2)).toEqual([reason, reason]);
  await expect(session.run({}, {})).rejects.toThrow(reason);
  await expect(engine.load(graph)).rejects.toThrow(reason);
});

test("createThreadedEngine() does what it was asked for before it is closed, and nothing after", async () => {
  const { thread, terminated } = threadServing(async () => echoEngine());
  const engine = await createThreadedEngine(thread);
  const session = await engine.load(graph);
  const running = session.run({ x: tensor(1) }, {});
  const closed = Promise.all([engine.close(), engine.close()]);
  await expect(session.run({}, {})).rejects.toThrow("it was closed");
  expect((await running).fetched).toEqual({ x: tensor(1) });
  await closed;
  await engine.close();
  expect(terminated()).toBe(1);
});

test("createThreadedEngine() of a thread that has died can be closed", async () => {
  const { thread, die, terminated } = threadServing(async () => echoEngine());
  const engine = await createThreadedEngine(thread);
  die("it ran out of memory");
  await engine.close();
  expect(terminated()).toBe(1);
});
