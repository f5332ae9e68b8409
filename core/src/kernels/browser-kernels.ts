import type { KernelPort } from "./kernel-messages.ts";
import { createKernelPool } from "./kernel-pool.ts";
import type { Kernels } from "./kernels.ts";
import { createWasmKernels } from "./wasm-kernels.ts";

declare const Worker: new (url: URL, options: { type: "module" }) => KernelPort;
declare const crossOriginIsolated: boolean;
declare const navigator: { readonly hardwareConcurrency: number };

/**
 * Kernels for a page: on a pool of workers when the page is cross-origin isolated (so that memory can be shared), in the calling
 * thread, whatever `threads` says, when it is not.
 */
export async function openBrowserKernels({
  threads = navigator.hardwareConcurrency,
}: {
  threads?: number;
} = {}): Promise<Kernels> {
  if (!crossOriginIsolated) return createWasmKernels();
  // Bundlers look for exactly this expression; after the build the file beside this one has the name it says.
  const spawn = () => new Worker(new URL("./browser-worker.js", import.meta.url), { type: "module" });
  return createKernelPool(spawn, threads);
}
