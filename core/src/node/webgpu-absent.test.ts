import { expect, test, vi } from "vitest";
import { UnsupportedError } from "../errors.ts";
import { openWebGpuDevice } from "./webgpu.ts";

vi.mock("webgpu", () => {
  throw new Error("Cannot find package 'webgpu'");
});

test("openWebGpuDevice() says what to install when the package is absent", async () => {
  const opening = openWebGpuDevice();
  await expect(opening).rejects.toThrow(UnsupportedError);
  await expect(opening).rejects.toThrow("npm install webgpu");
});
