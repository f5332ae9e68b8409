import { UnsupportedError } from "@saestitch/core";
import type { Engine } from "../engine/engine.ts";
import { type Around, createOrtEngine } from "../engine/ort-engine.ts";
import { encodeOnnx } from "../onnx/encode-onnx.ts";
import { makeModel } from "../onnx/make-model.ts";
import { makeNode } from "../onnx/make-node.ts";
import { makeValue } from "../onnx/make-value.ts";
import { elementTypes } from "../onnx/onnx-model.ts";

/** What a model may run on: CUDA needs ONNX Runtime's libraries for it, which are installed only when asked for. */
export const devices = ["cpu", "webgpu", "cuda"] as const;

/** Where and how ONNX Runtime runs. */
export interface EngineOptions {
  /** Default "cpu". */
  readonly device?: (typeof devices)[number];
  /** Threads of one run on the CPU; default one per processor core. */
  readonly threads?: number | undefined;
}

/**
 * ONNX Runtime for Node in this thread. `around` is called with all that is done inside of it. Rejects with {@link UnsupportedError} when it, or
 * what the device needs, is not installed.
 */
export async function openLocalEngine(
  { device = "cpu", threads }: EngineOptions = {},
  around: Around = (work) => work(),
): Promise<Engine> {
  const runtime = await around(importRuntime);
  const backend = runtime.listSupportedBackends().find(({ name }) => name === device);
  if (backend === undefined)
    throw new UnsupportedError(
      `Cannot run models on ${device}: ONNX Runtime for this machine has no such provider`,
    );
  const engine = createOrtEngine(runtime, {
    name: `ONNX Runtime ${runtime.env.versions.node}, ${device}`,
    around,
    options: {
      executionProviders: [device],
      ...(threads !== undefined && { intraOpNumThreads: threads }),
    },
  });
  if (device !== "cpu") await tryDevice(engine, device);
  return engine;
}

/** What a device needs that may be missing. */
const needs: Readonly<Record<"webgpu" | "cuda", string>> = {
  webgpu: "a GPU, and its driver for Vulkan, Metal or Direct3D",
  cuda: "an NVIDIA GPU, CUDA 12, and ONNX Runtime's libraries for it: ONNXRUNTIME_NODE_INSTALL=cuda12 npm install onnxruntime-node",
};

/** A device is looked for only when something is loaded; better now than in the middle of the work. */
async function tryDevice(engine: Engine, device: keyof typeof needs): Promise<void> {
  const shape = [1];
  const probe = makeModel({
    nodes: [makeNode("Neg", ["x"], ["y"])],
    inputs: [makeValue("x", elementTypes.float32, shape)],
    outputs: [makeValue("y", elementTypes.float32, shape)],
  });
  try {
    const session = await engine.load({ bytes: encodeOnnx(probe) });
    await session.close();
  } catch (cause) {
    throw new UnsupportedError(
      `Cannot run models on ${device}, which needs ${needs[device]} (${cause instanceof Error ? cause.message : cause})`,
      { cause },
    );
  }
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
