import { afterEach, describe, expect, test, vi } from "vitest";
import { nativeAddon, testedInstructions } from "../../test-support/native-addon.ts";
import { UnsupportedError } from "../errors.ts";
import { matrix } from "../tensor/matrix.ts";
import { loadNativeAddon } from "./native-addon.ts";
import { describeEngines, type KernelOptions, openKernels } from "./open-kernels.ts";

vi.mock(import("./native-addon.ts"), { spy: true });

afterEach(() => {
  vi.unstubAllEnvs();
  vi.mocked(loadNativeAddon).mockRestore();
});

/** What `openKernels` opens, closed again. */
async function nameOf(options?: KernelOptions): Promise<string> {
  const kernels = await openKernels(options);
  const x = matrix(1, 1, Float32Array.of(2));
  expect((await kernels.match(x, x, 1)).cosines).toEqual(Float32Array.of(1));
  await kernels.close();
  return kernels.name;
}

const without = () => vi.mocked(loadNativeAddon).mockReturnValue({ reason: "it was never built" });

describe("openKernels()", () => {
  test.runIf(nativeAddon)("opens native kernels where the addon loads", async () => {
    vi.stubEnv("SAESTITCH_KERNELS", "");
    const best = testedInstructions[testedInstructions.length - 1];
    expect(await nameOf({ threads: 2 })).toBe(`native (${best}), 2 threads`);
    expect(await nameOf({ threads: 1, instructions: "baseline" })).toBe("native (baseline), 1 thread");
    expect(await nameOf()).toContain("native");
  });

  test("opens WebAssembly where the addon does not load", async () => {
    without();
    vi.stubEnv("SAESTITCH_KERNELS", "");
    expect(await nameOf({ threads: 2 })).toBe("wasm, 2 threads");
  });

  test("opens WebAssembly where that is asked for, by an option before the environment", async () => {
    vi.stubEnv("SAESTITCH_KERNELS", "wasm");
    expect(await nameOf({ threads: 1 })).toBe("wasm, 1 thread");
    vi.stubEnv("SAESTITCH_KERNELS", "native");
    expect(await nameOf({ threads: 1, engine: "wasm" })).toBe("wasm, 1 thread");
  });

  test("rejects with the reason when native kernels are asked for and do not load", async () => {
    without();
    vi.stubEnv("SAESTITCH_KERNELS", "native");
    for (const options of [{ engine: "native" }, { instructions: "avx2" }, {}] as const) {
      await expect(openKernels(options)).rejects.toThrow(UnsupportedError);
      await expect(openKernels(options)).rejects.toThrow("it was never built");
    }
  });

  test("refuses what it does not know", async () => {
    await expect(openKernels({ engine: "wasm", instructions: "avx2" })).rejects.toThrow(UnsupportedError);
    vi.stubEnv("SAESTITCH_KERNELS", "cuda");
    await expect(openKernels()).rejects.toThrow(
      'SAESTITCH_KERNELS is "cuda", wanted "native", "wasm" or "webgpu"',
    );
  });

  test("refuses a number of threads that is none", async () => {
    await expect(openKernels({ threads: 0 })).rejects.toThrow("0 threads");
    await expect(openKernels({ threads: 1.5 })).rejects.toThrow("1.5 threads");
  });
});

describe("describeEngines()", () => {
  test.runIf(nativeAddon)("names first what openKernels() opens, and everything that opens", async () => {
    vi.stubEnv("SAESTITCH_KERNELS", "");
    const engines = describeEngines();
    const [first] = engines;
    expect(await nameOf({ threads: 1 })).toBe(`native (${first.instructions}), 1 thread`);
    for (const { engine, instructions, reason } of engines) {
      const opened = openKernels({ threads: 1, engine, ...(instructions && { instructions }) });
      if (reason === undefined) await (await opened).close();
      else await expect(opened).rejects.toThrow(UnsupportedError);
    }
    expect(engines.filter(({ reason }) => reason === undefined)).toHaveLength(testedInstructions.length + 1);
    vi.stubEnv("SAESTITCH_KERNELS", "wasm");
    expect(describeEngines()[0]).toEqual({ engine: "wasm" });
  });

  test("says why there are no native kernels", () => {
    without();
    vi.stubEnv("SAESTITCH_KERNELS", "");
    expect(describeEngines()).toEqual([
      { engine: "native", reason: "it was never built" },
      { engine: "wasm" },
    ]);
  });

  test("says which instructions do not run here", () => {
    const addon = { instructionSets: () => ["baseline"], open: vi.fn(), sourcesSha256: "" };
    vi.mocked(loadNativeAddon).mockReturnValue({ addon });
    vi.stubEnv("SAESTITCH_KERNELS", "");
    const [first, second, ...others] = describeEngines();
    expect([first, second]).toEqual([{ engine: "native", instructions: "baseline" }, { engine: "wasm" }]);
    for (const { reason } of others) expect(reason).toContain("lacks them");
  });
});
