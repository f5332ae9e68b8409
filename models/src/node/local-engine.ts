import { UnsupportedError } from "@saestitch/core";
import type { Engine } from "../engine/engine.ts";
import { createOrtEngine } from "../engine/ort-engine.ts";

/** What a model may run on: CUDA needs ONNX Runtime's libraries for it, which are installed only when asked for. */
export const devices = ["cpu", "webgpu", "cuda"] as const;

/** Where and how ONNX Runtime runs. */
export interface EngineOptions {
  /** Default "cpu". */
  readonly device?: (typeof devices)[number];
  /** Threads of one run on the CPU; default one per processor core. */
  readonly threads?: number | undefined;
}

/** ONNX Runtime for Node in this thread. Rejects with {@link UnsupportedError} when it, or what the device needs, is not installed. */
export async function openLocalEngine({ device = "cpu", threads }: EngineOptions = {}): Promise<Engine> {
  const runtime = await importRuntime();
  const backend = runtime.listSupportedBackends().find(({ name }) => name === device);
  if (backend === undefined)
    throw new UnsupportedError(
      `Cannot run models on ${device}: ONNX Runtime for this machine has no such provider`,
    );
  return createOrtEngine(runtime, {
    name: `ONNX Runtime ${runtime.env.versions.node}, ${device}`,
    options: {
      executionProviders: [device],
      ...(threads !== undefined && { intraOpNumThreads: threads }),
    },
  });
}

async function importRuntime(): Promise<typeof import("onnxruntime-node")> {
  try {
    return await import("onnxruntime-node");
  } catch (cause) {
    throw new UnsupportedError(
      "Cannot run models: the package onnxruntime-node is not installed, or not for this machine; " +
        "install it with ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node",
      { cause },
    );
  }
}
