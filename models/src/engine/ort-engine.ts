import { FormatError } from "@saestitch/core";
import type { InferenceSession, Tensor } from "onnxruntime-common";
import type {
  EncodedGraph,
  Engine,
  EngineSession,
  HostTensor,
  KeptTensor,
  TensorInfo,
  TensorType,
  WantedOutputs,
} from "./engine.ts";

/** What is needed of ONNX Runtime; its packages for Node and for browsers have it alike. */
export interface OnnxRuntime {
  readonly InferenceSession: Pick<typeof InferenceSession, "create">;
  readonly Tensor: typeof Tensor;
}

/** Does some work, with something before and after. */
export type Around = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** How ONNX Runtime is used. */
export interface OrtEngineOptions {
  /** What {@link Engine.name} says. */
  readonly name: string;
  /** Those of ONNX Runtime's sessions, for instance which execution providers to use. */
  readonly options?: InferenceSession.SessionOptions;
  /** Called with all that is done inside of ONNX Runtime. */
  readonly around?: Around;
}

/** ONNX Runtime as an engine, in this thread: a run blocks it. */
export function createOrtEngine(
  runtime: OnnxRuntime,
  { name, options = {}, around = (work) => work() }: OrtEngineOptions,
): Engine {
  const keptTensors = new Map<number, Tensor>();
  const sessions = new Set<InferenceSession>();
  let nextKept = 1;
  let closing: Promise<void> | undefined;
  let isClosed = false;
  let last: Promise<unknown> = Promise.resolve();

  /** One thing after the other: not every build of ONNX Runtime can be asked for a second run during the first. */
  function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = last.then(() => {
      if (isClosed) throw new Error(`Cannot run anything on ${name}: it was closed`);
      return around(work);
    });
    last = result.catch(() => {});
    return result;
  }

  function keep(tensor: Tensor): KeptTensor {
    const kept = nextKept++;
    keptTensors.set(kept, tensor);
    return { kept, type: tensor.type as TensorType, dims: tensor.dims };
  }
  function feed(tensor: HostTensor | KeptTensor): Tensor {
    if ("data" in tensor) return new runtime.Tensor(tensor.type, tensor.data as Float32Array, tensor.dims);
    const kept = keptTensors.get(tensor.kept);
    if (kept === undefined) throw new Error(`Cannot feed tensor ${tensor.kept}: it was released`);
    return kept;
  }

  async function closeSession(session: InferenceSession): Promise<void> {
    if (sessions.delete(session)) await session.release();
  }
  async function run(
    session: InferenceSession,
    feeds: Parameters<EngineSession["run"]>[0],
    { fetch = [], keep: kept = [] }: WantedOutputs,
  ): ReturnType<EngineSession["run"]> {
    if (!sessions.has(session)) throw new Error("Cannot run a graph that was closed");
    const fed = Object.fromEntries(Object.entries(feeds).map(([key, tensor]) => [key, feed(tensor)]));
    const results = await runSession(session, fed, [...new Set([...fetch, ...kept])]);
    return {
      fetched: Object.fromEntries(
        fetch.map((key) => {
          const tensor = hostTensor(results[key]);
          // Fetched memory may be handed to another thread, which would take it from the tensor that is kept.
          return [key, kept.includes(key) ? { ...tensor, data: tensor.data.slice() } : tensor];
        }),
      ),
      kept: Object.fromEntries(kept.map((key) => [key, keep(results[key])])),
    };
  }

  return {
    name,
    load: (graph) =>
      inTurn(async (): Promise<EngineSession> => {
        const session = await createSession(runtime, graph, options);
        sessions.add(session);
        return {
          inputs: session.inputMetadata.map(tensorInfo),
          outputs: session.outputMetadata.map(tensorInfo),
          run: (feeds, wanted) => inTurn(() => run(session, feeds, wanted)),
          close: () => inTurn(() => closeSession(session)),
        };
      }),
    release: (tensors) =>
      inTurn(async () => {
        for (const { kept } of tensors) {
          keptTensors.get(kept)?.dispose();
          keptTensors.delete(kept);
        }
      }),
    close() {
      closing ??= inTurn(async () => {
        isClosed = true;
        for (const tensor of keptTensors.values()) tensor.dispose();
        keptTensors.clear();
        for (const session of sessions) await closeSession(session);
      });
      return closing;
    },
  };
}

async function runSession(
  session: InferenceSession,
  feeds: Record<string, Tensor>,
  wanted: readonly string[],
): Promise<InferenceSession.OnnxValueMapType> {
  try {
    return await session.run(feeds, wanted);
  } catch (cause) {
    throw new FormatError(`ONNX Runtime cannot run the graph: ${messageOf(cause)}`, { cause });
  }
}

async function createSession(
  { InferenceSession }: OnnxRuntime,
  { bytes, folder, externalData }: EncodedGraph,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      // Fatal errors alone: every other is thrown too, and warnings are about graphs that ONNX Runtime optimises.
      logSeverityLevel: 4,
      ...options,
      ...(externalData && { externalData }),
      ...(folder !== undefined && {
        extra: { session: { model_external_initializers_file_folder_path: folder } },
      }),
    });
  } catch (cause) {
    throw new FormatError(`ONNX Runtime cannot load the graph: ${messageOf(cause)}`, { cause });
  }
}

function tensorInfo(value: InferenceSession.ValueMetadata): TensorInfo {
  if (!value.isTensor) throw new FormatError(`Cannot use the graph: its value ${value.name} is no tensor`);
  return { name: value.name, type: value.type as TensorType, shape: value.shape };
}

function hostTensor({ type, dims, data }: Tensor): HostTensor {
  // Where the platform has arrays of float16, ONNX Runtime gives them; their bits are the same everywhere.
  const bits = type === "float16" && !(data instanceof Uint16Array);
  const { buffer, byteOffset, length } = data as Uint16Array;
  return {
    type: type as TensorType,
    dims,
    data: bits ? new Uint16Array(buffer, byteOffset, length) : (data as HostTensor["data"]),
  };
}

function messageOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).trim();
}
