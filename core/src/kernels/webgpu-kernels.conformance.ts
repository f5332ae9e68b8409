import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dot } from "../linalg/dot.ts";
import { seededRandom } from "../linalg/random.ts";
import { matrix, row } from "../tensor/matrix.ts";
import { describeExactSelection } from "./exact-selection.conformance.ts";
import { describeKernels } from "./kernels.conformance.ts";
import type { Kernels, Selection } from "./kernels.ts";
import { randomMatrix, wholeMatrix } from "./random-arguments.conformance.ts";
import { floorsOf } from "./selection-floors.ts";
import { createWasmKernels } from "./wasm-kernels.ts";
import { GpuContext } from "./webgpu-context.ts";
import type { GpuDevice } from "./webgpu-device.ts";
import { createWebGpuKernels } from "./webgpu-kernels.ts";
import { searchPart } from "./webgpu-part.ts";
import { GpuPipelines } from "./webgpu-pipelines.ts";

/** The promises of all kernels, on the devices that `open` gives. */
export function describeAllOfWebGpuKernels(open: () => Promise<GpuDevice>): void {
  let device: GpuDevice;
  beforeAll(async () => {
    device = await open();
  });
  afterAll(() => device.destroy());
  const create = async () => createWebGpuKernels(device, await createWasmKernels());
  describeKernels("createWebGpuKernels()", create);
  describeExactSelection("createWebGpuKernels()", create);
}

/** What {@link createWebGpuKernels} promises beyond that: the bits of its host, and what it does with a device. */
export function describeWebGpuKernels(open: () => Promise<GpuDevice>): void {
  describe("createWebGpuKernels()", () => {
    let device: GpuDevice;
    let kernels: Kernels;
    let host: Kernels;
    beforeAll(async () => {
      device = await open();
      kernels = createWebGpuKernels(device, await createWasmKernels());
      host = await createWasmKernels();
    });
    afterAll(async () => {
      await kernels.close();
      await host.close();
      device.destroy();
    });

    test("says on what it runs, and what computes the values", () => {
      expect(kernels.name).toMatch(/^webgpu \(.+\), exact values by wasm, in the calling thread$/);
    });

    test.each([1, 63, 64, 65, 2304].flatMap((d) => [1, 7, 150].map((m) => ({ d, m }))))(
      "encode() and match() of $m latents of width $d have the bits of the host's",
      async ({ d, m }) => {
        const random = seededRandom(100 * d + m);
        const x = randomMatrix(random, 20, d);
        const encoder = randomMatrix(random, m, d);
        row(x, 3).fill(0);
        row(encoder, m - 1).fill(0);
        for (let j = 3; j + 1 < m; j += 9) row(encoder, j).set(row(encoder, j - 1));
        const bias = randomMatrix(random, 1, m).values;
        const scale = randomMatrix(random, 1, m).values;
        const offset = randomMatrix(random, 1, m).values;
        const threshold = randomMatrix(random, 1, m).values;
        const strange = { ...x, values: x.values.slice() };
        strange.values[0] = Number.NaN;
        strange.values[7 * d] = Number.POSITIVE_INFINITY;
        row(strange, 9).fill(1e-44);
        const selections: Selection[] = [
          { kind: "threshold", threshold },
          { kind: "threshold", threshold, scale, offset },
          { kind: "row-threshold", threshold: randomMatrix(random, 1, 20).values },
          { kind: "top", count: 3 },
          { kind: "top", count: m + 1 },
        ];
        for (const selection of selections)
          for (const rows of [x, strange])
            expect(await kernels.encode(rows, encoder, bias, selection)).toEqual(
              await host.encode(rows, encoder, bias, selection),
            );
        for (const count of [1, 3, m])
          expect(await kernels.match(x, encoder, count)).toEqual(await host.match(x, encoder, count));
      },
    );

    test("match() takes rows of any length, ties and zero rows as the host does", async () => {
      const random = seededRandom(3);
      const rows = wholeMatrix(random, 40, 5);
      const among = wholeMatrix(random, 500, 5);
      rows.values.set([1e-45, 3e-45, 0, 0, 0, 3e38, -3e38, 3e38, 3e38, 1], 0);
      among.values.set([3e38, 3e38, 3e38, 3e38, 3e38, 1e-45, 1e-45, 1e-45, 0, 0], 100);
      for (const count of [1, 8, 499])
        expect(await kernels.match(rows, among, count)).toEqual(await host.match(rows, among, count));
    });

    test("the largest are the host's where all latents are equal but for rounding", async () => {
      const random = seededRandom(9);
      const x = randomMatrix(random, 1, 100);
      const encoder = randomMatrix(random, 400, 100);
      for (let j = 1; j < encoder.rows; j++)
        row(encoder, j).set(
          row(encoder, 0).map((value) => value * (1 + 2 ** -23 * Math.floor(3 * random()))),
        );
      // What is left of the products is of the size of their rounding.
      const bias = new Float32Array(encoder.rows).fill(2 ** -14 - dot(row(x, 0), row(encoder, 0)));
      for (const count of [1, 3, 10, 20]) {
        const top: Selection = { kind: "top", count };
        expect(await kernels.encode(x, encoder, bias, top)).toEqual(await host.encode(x, encoder, bias, top));
        expect(await kernels.match(x, encoder, count)).toEqual(await host.match(x, encoder, count));
      }
    });

    test("large tiles, and several blocks of rows and latents, give the bits that small ones give", async () => {
      const random = seededRandom(4);
      const x = randomMatrix(random, 2100, 3);
      const encoder = randomMatrix(random, 2500, 3);
      const bias = randomMatrix(random, 1, 2500).values;
      const threshold = new Float32Array(2500).fill(8);
      for (const selection of [{ kind: "top", count: 3 } as const, { kind: "threshold", threshold } as const])
        expect(await kernels.encode(x, encoder, bias, selection)).toEqual(
          await host.encode(x, encoder, bias, selection),
        );
    });

    test("a buffer too small for all candidates loses none, whether a larger one is to be had or not", async () => {
      const random = seededRandom(5);
      const x = randomMatrix(random, 90, 4);
      const encoder = randomMatrix(random, 300, 4);
      const bias = randomMatrix(random, 1, 300).values;
      const threshold = new Float32Array(300).fill(Number.NEGATIVE_INFINITY);
      const limited = createWebGpuKernels(limitedDevice(device, 2 ** 15), await createWasmKernels());
      const selections: Selection[] = [
        { kind: "threshold", threshold },
        { kind: "threshold", threshold, scale: new Float32Array(300).fill(-1) },
        { kind: "top", count: 250 },
        { kind: "top", count: 1 },
      ];
      for (const selection of selections) {
        const want = await host.encode(x, encoder, bias, selection);
        expect(await kernels.encode(x, encoder, bias, selection)).toEqual(want);
        expect(await limited.encode(x, encoder, bias, selection)).toEqual(want);
      }
      expect(await limited.match(x, encoder, 5)).toEqual(await host.match(x, encoder, 5));
      await limited.close();
    });

    test("rows too wide for the device's buffers are the host's", async () => {
      const random = seededRandom(6);
      const x = randomMatrix(random, 3, 200);
      const bias = new Float32Array(3);
      const limited = createWebGpuKernels(limitedDevice(device, 2 ** 16), await createWasmKernels());
      const top: Selection = { kind: "top", count: 2 };
      expect(await limited.encode(x, x, bias, top)).toEqual(await host.encode(x, x, bias, top));
      expect(await limited.match(x, x, 2)).toEqual(await host.match(x, x, 2));
      await limited.close();
    });

    test("weights changed in place between calls are seen", async () => {
      const x = matrix(1, 2, Float32Array.of(1, 1));
      const encoder = matrix(2, 2, Float32Array.of(1, 0, 0, 2));
      const bias = new Float32Array(2);
      const top: Selection = { kind: "top", count: 1 };
      expect((await kernels.encode(x, encoder, bias, top)).indices).toEqual(Int32Array.of(1));
      encoder.values[0] = 3;
      const code = await kernels.encode(x, encoder, bias, top);
      expect([code.indices, code.values]).toEqual([Int32Array.of(0), Float32Array.of(3)]);
    });

    test("few candidates come back: little more than pass a threshold, a few times as many as are wanted of the largest", async () => {
      const random = seededRandom(7);
      const rows = randomMatrix(random, 16, 32);
      const latents = randomMatrix(random, 12_288, 32);
      const bias = new Float32Array(latents.rows);
      const gpu = new GpuContext(device);
      const pipelines = new GpuPipelines(gpu);
      const countOf = async (selection: Selection) => {
        const floors = floorsOf(selection, rows.rows, latents.rows);
        const { count } = await searchPart(gpu, pipelines, { rows, latents, bias, floors }, 100_000);
        return count;
      };
      for (const wanted of [8, 32]) {
        const count = await countOf({ kind: "top", count: wanted });
        expect(count).toBeGreaterThanOrEqual(wanted * rows.rows);
        expect(count).toBeLessThan(8 * wanted * rows.rows);
      }
      const threshold = new Float32Array(latents.rows).fill(14);
      const passing = (await host.encode(rows, latents, bias, { kind: "threshold", threshold })).indices
        .length;
      expect(passing).toBeGreaterThan(100);
      const count = await countOf({ kind: "threshold", threshold });
      expect(count).toBeGreaterThanOrEqual(passing);
      expect(count).toBeLessThan(1.02 * passing + 5);
      expect(await gpu.failure()).toBe(null);
      gpu.destroy();
    });

    test("what the device refuses rejects with what it says, and the next call may succeed", async () => {
      let refusing = true;
      const faulty = changedDevice(device, "createBuffer", (descriptor) =>
        device.createBuffer(refusing ? { ...descriptor, size: 2 ** 50 } : descriptor),
      );
      const refused = createWebGpuKernels(faulty, await createWasmKernels());
      const x = matrix(1, 1, Float32Array.of(1));
      const call = () => refused.encode(x, x, new Float32Array(1), { kind: "top", count: 1 });
      await expect(call()).rejects.toThrow(/^Cannot encode with WebGPU: .*size/i);
      await expect(refused.match(x, x, 1)).rejects.toThrow(/^Cannot match with WebGPU: .*size/i);
      refusing = false;
      expect((await call()).values).toEqual(Float32Array.of(1));
      await refused.close();
    });

    test("a lost device rejects calls and says so, and closes", async () => {
      const lost = await open();
      const left = createWebGpuKernels(lost, await createWasmKernels());
      const x = randomMatrix(seededRandom(8), 4, 4);
      const call = () => left.encode(x, x, new Float32Array(4), { kind: "top", count: 1 });
      await call();
      const under = call();
      lost.destroy();
      await expect(under).rejects.toThrow("Cannot encode with WebGPU: the device was lost");
      await expect(call()).rejects.toThrow("Cannot encode with WebGPU: the device was lost");
      await left.close();
      await expect(call()).rejects.toThrow("closed");
    });

    test("close() closes the host, and leaves the device open", async () => {
      const own = await createWasmKernels();
      const closed = createWebGpuKernels(device, own);
      await closed.close();
      const x = matrix(1, 1, Float32Array.of(1));
      await expect(own.match(x, x, 1)).rejects.toThrow("closed");
      expect((await kernels.match(x, x, 1)).cosines).toEqual(Float32Array.of(1));
    });
  });
}

/** A device that says its buffers hold no more than `bytes`. */
function limitedDevice(device: GpuDevice, bytes: number): GpuDevice {
  return changedDevice(device, "limits", { maxBufferSize: bytes, maxStorageBufferBindingSize: bytes });
}

/** A device in which one property is another. */
function changedDevice<Key extends keyof GpuDevice>(
  device: GpuDevice,
  key: Key,
  value: GpuDevice[Key],
): GpuDevice {
  return new Proxy(device, {
    get(target, property) {
      if (property === key) return value;
      const own: unknown = Reflect.get(target, property, target);
      return typeof own === "function" ? own.bind(target) : own;
    },
  });
}
