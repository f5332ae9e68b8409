import { describe, expect, test } from "vitest";
import { nativeAddon, testedInstructions } from "../../test-support/native-addon.ts";
import { runAlone } from "../../test-support/run-alone.ts";
import { DataError } from "../errors.ts";
import { adamFactors } from "../kernels/adam-factors.ts";
import { matrix, zeros } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import { createNativeKernels } from "./native-kernels.ts";

/** A call that takes about a tenth of a second, on `kernels`. */
const longCall = `
  const x = { rows: 3000, columns: 256, values: new Float32Array(3000 * 256).map((_, i) => Math.sin(i)) };
  const call = () => kernels.match(x, x, 4);`;
const openAlone = `
  const { createNativeKernels } = await import(node + "native-kernels.js");
  const kernels = createNativeKernels({ threads: 2 });
  ${longCall}`;

describe.runIf(nativeAddon)("the process of createNativeKernels()", () => {
  test("lives on for an unfinished call, but not for idle threads", () => {
    const { stdout, stderr, status } = runAlone(`${openAlone}
      call().then(({ cosines }) => console.log("matched", cosines.length));`);
    expect({ stdout, stderr, status }).toEqual({ stdout: "matched 12000\n", stderr: "", status: 0 });
  });

  test("lives on until the kernels are closed", () => {
    const { stdout, stderr, status } = runAlone(`${openAlone}
      const results = [call(), call(), call()].map((promise) => promise.then(() => "done", (e) => e.message));
      await kernels.close();
      console.log((await Promise.all(results)).join());`);
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(stdout).toMatch(/^(done,)?Cannot match: the kernels are closed,.*closed\n$/);
  });

  test.each([0, 1, 20, 100])("may exit in the middle of calls, after %d ms", (delay) => {
    const { stdout, stderr, status } = runAlone(`${openAlone}
      for (let i = 0; i < 20; i++) call().catch(() => {});
      setTimeout(() => process.exit(7), ${delay});`);
    expect({ stdout, stderr, status }).toEqual({ stdout: "", stderr: "", status: 7 });
  });

  test("may exit while the kernels close", () => {
    const { stderr, status } = runAlone(`${openAlone}
      for (let i = 0; i < 20; i++) call().catch(() => {});
      kernels.close();
      setTimeout(() => process.exit(7), 1);`);
    expect({ stderr, status }).toEqual({ stderr: "", status: 7 });
  });

  test("may end worker threads that are in the middle of calls, or of closing, and goes on itself", () => {
    const { stdout, stderr, status } = runAlone(`${openAlone}
      import { Worker } from "node:worker_threads";
      const body = (end) => \`
        import { parentPort } from "node:worker_threads";
        const node = \${JSON.stringify(node)};
        ${openAlone.replaceAll("`", "\\`")}
        for (let i = 0; i < 20; i++) call().catch(() => {});
        \${end}
        parentPort.postMessage("begun");\`;
      const ends = ["", "kernels.close();", "parentPort.on('message', () => {}); await call();", "process.exit(3);"];
      const workers = ends.map((end) =>
        new Worker(new URL("data:text/javascript," + encodeURIComponent(body(end)))));
      await Promise.all(workers.map((worker, i) => new Promise((resolve) => {
        worker.once(i === 3 ? "exit" : "message", resolve);
      })));
      await Promise.all(workers.map((worker) => worker.terminate()));
      const { count } = await call();
      console.log("matched", count);`);
    expect({ stdout, stderr, status }).toEqual({ stdout: "matched 4\n", stderr: "", status: 0 });
  });

  test("frees kernels that nobody holds, closed or not, and what calls found when there is no room for it", () => {
    const { stdout, stderr, status } = runAlone(`${openAlone}
      import { readdirSync } from "node:fs";
      import { setFlagsFromString } from "node:v8";
      import { runInNewContext } from "node:vm";
      setFlagsFromString("--expose-gc");
      const collect = runInNewContext("gc");
      const small = { rows: 3, columns: 1, values: Float32Array.of(1, 2, 3) };
      for (let i = 0; i < 300; i++) {
        const more = createNativeKernels({ threads: 4 });
        await more.match(small, small, 1);
        if (i % 2 === 0) await more.close();
        if (i % 10 === 0) {
          collect();
          await new Promise(setImmediate);
        }
      }
      collect();
      await new Promise((resolve) => setTimeout(resolve, 50));
      collect();
      await new Promise((resolve) => setTimeout(resolve, 50));
      const threads = process.platform === "linux" ? readdirSync("/proc/self/task").length : 0;
      console.log(threads < 100 ? "freed" : threads);`);
    expect({ stdout, stderr, status }).toEqual({ stdout: "freed\n", stderr: "", status: 0 });
  });
});

describe.runIf(nativeAddon)("createNativeKernels() on codes that are not", () => {
  const rows = 3000;
  const entries = 2 * rows;
  const good: SparseCode = {
    rows,
    columns: 4,
    offsets: Int32Array.from({ length: rows + 1 }, (_, i) => 2 * i),
    indices: Int32Array.from({ length: entries }, (_, entry) => 1 + (entry % 2)),
    values: new Float32Array(entries).fill(1),
  };
  const changed = (array: Int32Array, at: number, value: number) => {
    const copy = array.slice();
    copy[at] = value;
    return copy;
  };
  const cases: [string, SparseCode][] = [
    ["entry 4001 of the code (row 2000) has index 4", { ...good, indices: changed(good.indices, 4001, 4) }],
    ["entry 0 of the code (row 0) has index -1", { ...good, indices: changed(good.indices, 0, -1) }],
    [
      "entry 5999 of the code (row 2999) has index 2147483647",
      { ...good, indices: changed(good.indices, 5999, 2 ** 31 - 1) },
    ],
    ["of row 1000 of the code go from 2000 to 1999", { ...good, offsets: changed(good.offsets, 1001, 1999) }],
    ["of row 6 of the code go from 12 to 6001", { ...good, offsets: changed(good.offsets, 7, 6001) }],
    ["of row 0 of the code go from -5 to 2", { ...good, offsets: changed(good.offsets, 0, -5) }],
  ];
  const decoder = matrix(4, 3, new Float32Array(12).fill(1));

  test.each(cases)("rejects with a DataError: %s", async (message, code) => {
    const kernels = createNativeKernels({ threads: 2 });
    const calls = [
      () => kernels.decode(code, decoder, zeros(rows, 3), 1),
      () => kernels.project(code, decoder, zeros(rows, 3)),
      () => kernels.walk(code, decoder, zeros(rows, 3)),
      () => kernels.walk(code, decoder, zeros(rows, 3), new Int32Array(4)),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toThrow(DataError);
      await expect(call()).rejects.toThrow(message);
    }
    await kernels.close();
  });

  test.each(cases)("changes nothing of what it was to update: %s", async (message, code) => {
    const kernels = createNativeKernels({ threads: 2 });
    const weights = matrix(rows, 3, new Float32Array(3 * rows).fill(5));
    const moments = { first: zeros(rows, 3), second: zeros(rows, 3) };
    const gradient = [
      { code: good, rows: decoder },
      { code, rows: decoder },
    ];
    const adam = { rate: 1, beta1: 0.5, beta2: 0.5, epsilon: 1, step: 1 };
    const call = kernels.update(weights, moments, gradient, adam);
    await expect(call).rejects.toThrow(`Cannot update: `);
    await expect(call).rejects.toThrow(message);
    expect([weights, moments.first].every(({ values }) => values.every((v) => v === values[0]))).toBe(true);
    expect(moments.first.values[0]).toBe(0);
    await kernels.close();
  });
});

describe.runIf(nativeAddon)("the native addon itself", () => {
  const open = () => nativeAddon!.open(1, testedInstructions[0]);
  const scan = {
    ...{ rowCount: 1, directionCount: 1, columns: 1, top: 0, unit: false, byLatent: true },
    ...{ rows: Float32Array.of(1), directions: Float32Array.of(1), bias: new Float32Array(1) },
    ...{
      rowFloor: new Float32Array(1),
      latentFloor: new Float32Array(1),
      scale: undefined,
      offset: undefined,
    },
    allocate: (entries: number) => ({
      offsets: new Int32Array(2),
      indices: new Int32Array(entries),
      values: new Float32Array(entries),
    }),
  };

  test("throws a TypeError at arguments of other types and lengths than it needs", async () => {
    const instance = open();
    const wrong = (change: object) => () => instance.scan({ ...scan, ...change });
    expect(wrong({ rows: new Float32Array(2) })).toThrow("rows is not as long as its rows and columns say");
    expect(wrong({ rows: new Float64Array(1) })).toThrow("rows is not a Float32Array");
    expect(wrong({ bias: undefined })).toThrow("bias is not a Float32Array");
    expect(wrong({ rowCount: 2 ** 31 })).toThrow("rowCount is not a whole number from 0 to 2147483647");
    expect(wrong({ columns: 0.5 })).toThrow("columns is not a whole number");
    expect(wrong({ top: Number.NaN })).toThrow("top is not a whole number");
    expect(wrong({ unit: 1 })).toThrow("unit is not true or false");
    expect(() => instance.scan(undefined as never)).toThrow(TypeError);
    expect(() => instance.scan.call({} as never, scan)).toThrow("this is none");
    expect(() => instance.update({ ...adamFactors(adamOf(1)), gradient: {} } as never)).toThrow(TypeError);
    await instance.close();
  });

  test("rejects with what allocating throws, and when it gives other arrays than were asked for", async () => {
    const instance = open();
    const failure = new Error("no room");
    const throwing = () => {
      throw failure;
    };
    await expect(instance.scan({ ...scan, allocate: throwing })).rejects.toBe(failure);
    const short = () => ({ ...scan.allocate(0), values: new Float32Array(0) });
    await expect(instance.scan({ ...scan, allocate: short })).rejects.toThrow("indices is not as long");
    expect(await instance.scan(scan)).toEqual({
      offsets: Int32Array.of(0, 1),
      indices: Int32Array.of(0),
      values: Float32Array.of(1),
    });
    await instance.close();
  });

  test("does not close twice, and takes no calls when closed", async () => {
    const instance = open();
    await instance.close();
    expect(() => instance.close()).toThrow("closed");
    expect(() => instance.scan(scan)).toThrow("closed");
  });

  test("does not begin to count threads where there are too many to be started", () => {
    expect(() => nativeAddon!.open(0, testedInstructions[0])).toThrow("refused");
    expect(() => nativeAddon!.open(1, "mmx")).toThrow("lacks the instructions");
  });
});

function adamOf(step: number) {
  return { rate: 1, beta1: 0, beta2: 0, epsilon: 1, step };
}
