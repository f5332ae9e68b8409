import { expect, test } from "vitest";
import { UnsupportedError } from "../errors.ts";
import { matrix } from "../tensor/matrix.ts";
import { openBrowserKernels } from "./browser-kernels.ts";
import { describeKernels } from "./kernels.conformance.ts";

describeKernels("openBrowserKernels({ threads: 2 })", () => openBrowserKernels({ threads: 2 }));

test("openBrowserKernels() uses workers on a page that is cross-origin isolated", async () => {
  expect(crossOriginIsolated).toBe(true);
  const kernels = await openBrowserKernels({ threads: 2 });
  expect(kernels.name).toBe("wasm, 2 threads");
  await kernels.close();
});

test("openBrowserKernels() computes in the calling thread on a page that is not", async () => {
  const isolated = Object.getOwnPropertyDescriptor(globalThis, "crossOriginIsolated");
  Object.defineProperty(globalThis, "crossOriginIsolated", { value: false, configurable: true });
  try {
    const kernels = await openBrowserKernels({ threads: 2 });
    expect(kernels.name).toBe("wasm, in the calling thread");
  } finally {
    Object.defineProperty(globalThis, "crossOriginIsolated", isolated!);
  }
});

test("openBrowserKernels({ engine }) puts the page's GPU before the workers, and says so where there is none", async () => {
  const x = matrix(1, 2, Float32Array.of(3, 4));
  const hasAdapter = (await navigator.gpu?.requestAdapter()) != null;
  if (hasAdapter) {
    const kernels = await openBrowserKernels({ threads: 1, engine: "webgpu" });
    expect(kernels.name).toMatch(/^webgpu .* exact values by wasm, 1 thread$/);
    expect((await kernels.match(x, x, 1)).cosines).toEqual(Float32Array.of(1));
    await kernels.close();
  }
  const own = Object.getOwnPropertyDescriptor(Navigator.prototype, "gpu");
  Object.defineProperty(Navigator.prototype, "gpu", { value: undefined, configurable: true });
  try {
    await expect(openBrowserKernels({ engine: "webgpu" })).rejects.toThrow(UnsupportedError);
  } finally {
    Object.defineProperty(Navigator.prototype, "gpu", own!);
  }
});
