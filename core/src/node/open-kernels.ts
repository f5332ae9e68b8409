import { availableParallelism } from "node:os";
import { UnsupportedError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { createWebGpuKernels } from "../kernels/webgpu-kernels.ts";
import { loadNativeAddon } from "./native-addon.ts";
import { createNativeKernels } from "./native-kernels.ts";
import { openWasmThreads } from "./wasm-threads.ts";
import { openWebGpuDevice } from "./webgpu.ts";

/** What runs the kernels: the native addon, WebAssembly on worker threads, or a GPU with the better of these beside it. */
export type Engine = "native" | "wasm" | "webgpu";

/** How {@link openKernels} opens. */
export interface KernelOptions {
  /** One per processor when absent. */
  readonly threads?: number;
  /** That of the environment variable SAESTITCH_KERNELS when absent; without it native where the addon loads, else WebAssembly. */
  readonly engine?: Engine;
  /** Which instructions native kernels use, by their names in {@link describeEngines}; the best that run here when absent. */
  readonly instructions?: string;
}

/**
 * The kernels asked for, or the fastest that run on the processor. Every engine gives the same bits.
 *
 * Native kernels read arrays where they are; WebAssembly shares those made by `allocateFloat32` and `allocateInt32` with its threads,
 * and copies others on each call. An unfinished call keeps the process alive, idle threads do not. Rejects when a thread cannot start, and
 * with an {@link UnsupportedError} when the engine asked for does not run here.
 */
export async function openKernels({
  threads = availableParallelism(),
  engine = engineOfEnvironment(),
  instructions,
}: KernelOptions = {}): Promise<Kernels> {
  if (engine === "wasm" && instructions !== undefined)
    throw new UnsupportedError(`Cannot open WebAssembly kernels with ${instructions} instructions`);
  if (engine === "webgpu") return openOnGpu(threads, instructions);
  const isNative =
    engine === "native" ||
    (engine === undefined && (instructions !== undefined || "addon" in loadNativeAddon()));
  if (!isNative) return openWasmThreads(threads);
  return createNativeKernels({ threads, ...(instructions !== undefined && { instructions }) });
}

async function openOnGpu(threads: number, instructions: string | undefined): Promise<Kernels> {
  const device = await openWebGpuDevice();
  const isNative = instructions !== undefined || "addon" in loadNativeAddon();
  const engine = isNative ? "native" : "wasm";
  const host = await openKernels({ threads, engine, ...(instructions !== undefined && { instructions }) });
  return createWebGpuKernels(device, host, { ownsDevice: true });
}

/** One way to run the kernels, and whether it runs on this machine. */
export interface EngineReport {
  readonly engine: Engine;
  /** Of the native engine: which instructions it uses. Absent when there is no addon. */
  readonly instructions?: string;
  /** Why it does not run; absent when it does. */
  readonly reason?: string;
}

/**
 * The engines of the processor, the one that {@link openKernels} prefers first: WebAssembly, and the native one with each set of instructions.
 * Whether there is a GPU shows when one is opened.
 */
export function describeEngines(): EngineReport[] {
  const wasm = { engine: "wasm" } as const;
  const loaded = loadNativeAddon();
  if ("reason" in loaded) return [{ engine: "native", reason: loaded.reason }, wasm];
  const sets = loaded.addon.instructionSets();
  const native = [...knownInstructions()].reverse().map((instructions): EngineReport => {
    const report = { engine: "native", instructions } as const;
    if (sets.includes(instructions)) return report;
    return { ...report, reason: "the processor, the system or the compiler that built the addon lacks them" };
  });
  const runs = ({ reason }: EngineReport) => reason === undefined;
  const all = [...native.filter(runs), wasm, ...native.filter((report) => !runs(report))];
  return engineOfEnvironment() === "wasm" ? [wasm, ...all.filter(({ engine }) => engine !== "wasm")] : all;
}

/** Sets of instructions that native kernels may be built for, best last. */
function knownInstructions(): readonly string[] {
  return process.arch === "x64" ? ["baseline", "avx2", "avx512", "amx"] : ["baseline"];
}

function engineOfEnvironment(): Engine | undefined {
  const engine = process.env.SAESTITCH_KERNELS;
  if (engine === undefined || engine === "") return undefined;
  if (engine === "native" || engine === "wasm" || engine === "webgpu") return engine;
  throw new UnsupportedError(
    `SAESTITCH_KERNELS is ${JSON.stringify(engine)}, wanted "native", "wasm" or "webgpu"`,
  );
}
