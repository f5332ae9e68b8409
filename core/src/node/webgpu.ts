import { UnsupportedError } from "../errors.ts";
import { type GpuDevice, requestGpuDevice } from "../kernels/webgpu-device.ts";

/** What a device lives by: it must not be collected before the device. */
const origins = new WeakMap<GpuDevice, unknown>();

/**
 * A WebGPU device in Node, through the package `webgpu`, which must be installed beside this one. `destroy()` frees it.
 *
 * Rejects with an {@link UnsupportedError} when there is no such package, or no adapter.
 */
export async function openWebGpuDevice(): Promise<GpuDevice> {
  const { create } = await loadWebGpu();
  const gpu = create([]);
  const device = await requestGpuDevice(gpu);
  origins.set(device, gpu);
  return device;
}

async function loadWebGpu() {
  try {
    return await import("webgpu");
  } catch (error) {
    throw new UnsupportedError(
      `Cannot open a GPU: the package webgpu does not load (${(error as Error).message}); npm install webgpu`,
      { cause: error },
    );
  }
}
