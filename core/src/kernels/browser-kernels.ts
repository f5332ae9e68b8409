import { UnsupportedError } from "../errors.ts";
import type { KernelPort } from "./kernel-messages.ts";
import { createKernelPool } from "./kernel-pool.ts";
import type { Kernels } from "./kernels.ts";
import { createWasmKernels } from "./wasm-kernels.ts";
import { type Gpu, type GpuDevice, requestGpuDevice } from "./webgpu-device.ts";
import { createWebGpuKernels } from "./webgpu-kernels.ts";

declare const Worker: new (url: URL, options: { type: "module" }) => KernelPort;
declare const crossOriginIsolated: boolean;
declare const navigator: { readonly hardwareConcurrency: number; readonly gpu?: Gpu<GpuDevice> };

/**
 * Kernels for a page. `wasm`: on a pool of workers when the page is cross-origin isolated (so that memory can be shared), in the
 * calling thread, whatever `threads` says, when it is not. `webgpu`: on the page's GPU, with those beside it; rejects with an
 * {@link UnsupportedError} where there is none. Both give the same bits.
 */
export async function openBrowserKernels({
  threads = navigator.hardwareConcurrency,
  engine = "wasm",
}: {
  threads?: number;
  engine?: "wasm" | "webgpu";
} = {}): Promise<Kernels> {
  if (engine === "wasm") return openWasm(threads);
  if (navigator.gpu === undefined)
    throw new UnsupportedError("Cannot open a GPU: this browser, or this page, has no WebGPU");
  const device = await requestGpuDevice(navigator.gpu);
  return createWebGpuKernels(device, await openWasm(threads), { ownsDevice: true });
}

async function openWasm(threads: number): Promise<Kernels> {
  if (!crossOriginIsolated) return createWasmKernels();
  // Bundlers look for exactly this expression; after the build the file beside this one has the name it says.
  const spawn = () => new Worker(new URL("./browser-worker.js", import.meta.url), { type: "module" });
  return createKernelPool(spawn, threads);
}
