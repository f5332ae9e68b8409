import { expect, test } from "vitest";
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
