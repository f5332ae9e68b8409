import type { Engine, EngineSession, HostTensor } from "./engine.ts";
import type { EngineAnswer, EngineCall, EngineRequest, EngineResults } from "./engine-messages.ts";

/** The side of a thread that an engine is served on. */
export interface EngineServerPort {
  postMessage(answer: EngineAnswer, transfer: ArrayBuffer[]): void;
  on(event: "message", listener: (request: EngineRequest) => void): void;
}

/** Serve an engine on a port: open it, then hand it the calls in the order they come, and answer each. */
export function serveEngine(port: EngineServerPort, open: () => Promise<Engine>): void {
  /** By their numbers; those that were closed too, which refuse to run. */
  const sessions: EngineSession[] = [];

  async function answer<Kind extends EngineCall["kind"]>(
    engine: Engine,
    call: Extract<EngineCall, { kind: Kind }>,
  ): Promise<EngineResults[Kind]>;
  async function answer(engine: Engine, call: EngineCall): Promise<EngineResults[EngineCall["kind"]]> {
    switch (call.kind) {
      case "load": {
        const session = await engine.load(call.graph);
        return { session: sessions.push(session) - 1, inputs: session.inputs, outputs: session.outputs };
      }
      case "run":
        return sessions[call.session].run(call.feeds, call.wanted);
      case "release":
        await engine.release(call.tensors);
        return undefined;
      case "close-session":
        await sessions[call.session].close();
        return undefined;
      case "close":
        await engine.close();
        return undefined;
      default:
        return call satisfies never;
    }
  }

  const opening = open();
  void reply(0, async () => (await opening).name);
  port.on("message", ({ id, call }) => void reply(id, async () => answer(await opening, call)));

  async function reply(id: number, work: () => Promise<unknown>): Promise<void> {
    try {
      const result = await work();
      port.postMessage({ id, result }, buffersOf(result));
    } catch (error) {
      const { name, message } = error instanceof Error ? error : new Error(String(error));
      port.postMessage({ id, error: { name, message } }, []);
    }
  }
}

/** The memory of fetched tensors, each once, which is handed over instead of copied. */
function buffersOf(result: unknown): ArrayBuffer[] {
  const fetched = (result as Partial<EngineResults["run"]> | undefined)?.fetched ?? {};
  return [...new Set(Object.values(fetched).map(({ data }: HostTensor) => data.buffer as ArrayBuffer))];
}
