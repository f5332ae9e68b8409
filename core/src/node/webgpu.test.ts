import { existsSync, realpathSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { UnsupportedError } from "../errors.ts";
import type { GpuDevice } from "../kernels/webgpu-device.ts";
import { describeAllOfWebGpuKernels, describeWebGpuKernels } from "../kernels/webgpu-kernels.conformance.ts";
import { matrix } from "../tensor/matrix.ts";
import { openKernels } from "./open-kernels.ts";
import { openWebGpuDevice } from "./webgpu.ts";

const device = await openAnyDevice();

if (device === null) {
  test.skip("WebGPU has no adapter here: a Chromium brings one in software, and CHROMIUM_PATH names it", () => {});
  test("openWebGpuDevice() says when there is no adapter", async () => {
    await expect(openWebGpuDevice()).rejects.toThrow(UnsupportedError);
  });
} else {
  device.destroy();
  describeWebGpuKernels(openWebGpuDevice);
  describeAllOfWebGpuKernels(openWebGpuDevice);

  test("openWebGpuDevice() asks for buffers as large as the adapter has", async () => {
    const opened = await openWebGpuDevice();
    expect(opened.limits.maxStorageBufferBindingSize).toBeGreaterThan(128 * 2 ** 20);
    opened.destroy();
  });

  test("openKernels({ engine }) puts the GPU before the kernels of the processor", async () => {
    const kernels = await openKernels({ threads: 1, engine: "webgpu" });
    expect(kernels.name).toMatch(/^webgpu .* exact values by (native|wasm)/);
    const x = matrix(1, 2, Float32Array.of(3, 4));
    expect((await kernels.match(x, x, 1)).cosines).toEqual(Float32Array.of(1));
    await kernels.close();
    await expect(kernels.match(x, x, 1)).rejects.toThrow("closed");
  });
}

/** A device of this machine; else of the software driver that Chromium brings; null when there is neither. */
async function openAnyDevice(): Promise<GpuDevice | null> {
  const own = await openWebGpuDevice().catch(() => null);
  if (own !== null) return own;
  const driver = softwareDriver();
  if (driver === undefined) return null;
  process.env.VK_DRIVER_FILES = driver;
  const loader = join(dirname(driver), "libvulkan.so.1");
  // The loader may be nowhere else. It is no addon, so this throws, but RTLD_NODELETE leaves it loaded.
  const stay = 0x1000;
  if (existsSync(loader))
    expect(() => process.dlopen({ exports: {} }, loader, constants.dlopen.RTLD_NOW | stay)).toThrow();
  return openWebGpuDevice().catch(() => null);
}

/** Chromium's description of SwiftShader for the Vulkan loader. */
function softwareDriver(): string | undefined {
  const executables = [process.env.CHROMIUM_PATH, "/usr/bin/chromium", "/usr/bin/google-chrome"];
  const folders = executables
    .filter((file) => file !== undefined && existsSync(file))
    .map((file) => dirname(realpathSync(file!)));
  return [...folders, "/usr/lib/chromium"]
    .map((folder) => join(folder, "vk_swiftshader_icd.json"))
    .find((file) => existsSync(file));
}
