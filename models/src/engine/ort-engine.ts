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
} from "./engine.ts";

/** What is needed of ONNX Runtime; its packages for Node and for browsers have it alike. */
export interface OnnxRuntime {
  readonly InferenceSession: Pick<typeof InferenceSession, "create">;
  readonly Tensor: typeof Tensor;
}

/**
 * ONNX Runtime as an engine, in this thread: a run blocks it. `name` is what {@link Engine.name} says; `options` are those of ONNX Runtime's
 * sessions, for instance which execution providers to use.
 */
export function createOrtEngine(
  runtime: OnnxRuntime,
  { name, options = {} }: { readonly name: string; readonly options?: InferenceSession.SessionOptions },
): Engine {
  const keptTensors = new Map<number, Tensor>();
  let nextKept = 1;

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

  return {
    name,
    async load(graph): Promise<EngineSession> {
      const session = await createSession(runtime, graph, options);
      return {
        inputs: session.inputMetadata.map(tensorInfo),
        outputs: session.outputMetadata.map(tensorInfo),
        async run(feeds, { fetch = [], keep: kept = [] }) {
          const fed = Object.fromEntries(Object.entries(feeds).map(([key, tensor]) => [key, feed(tensor)]));
          const results = await session.run(fed, [...new Set([...fetch, ...kept])]);
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
        },
        close: () => session.release(),
      };
    },
    async release(tensors) {
      for (const { kept } of tensors) {
        keptTensors.get(kept)?.dispose();
        keptTensors.delete(kept);
      }
    },
    async close() {
      for (const tensor of keptTensors.values()) tensor.dispose();
      keptTensors.clear();
    },
  };
}

async function createSession(
  { InferenceSession }: OnnxRuntime,
  { bytes, folder, externalData }: EncodedGraph,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      // ONNX Runtime's warnings are about graphs that it optimises, which a user of the model can do nothing about.
      logSeverityLevel: 3,
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
  return cause instanceof Error ? cause.message : String(cause);
}
