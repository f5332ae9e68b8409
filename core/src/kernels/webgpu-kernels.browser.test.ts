import { expect, test } from "vitest";
import { requestGpuDevice } from "./webgpu-device.ts";
import { describeWebGpuKernels } from "./webgpu-kernels.conformance.ts";

const open = () => requestGpuDevice(navigator.gpu);
const device = await open().catch((error: Error) => error);

if (device instanceof Error) {
  test.skip(`a page has no WebGPU here: ${device.message}`, () => {});
} else {
  device.destroy();
  describeWebGpuKernels(open);

  test("requestGpuDevice() asks for buffers as large as the adapter has", async () => {
    const opened = await open();
    expect(opened.limits.maxBufferSize).toBeGreaterThan(256 * 2 ** 20);
    opened.destroy();
  });
}
