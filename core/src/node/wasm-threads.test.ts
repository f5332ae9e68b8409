import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { runAlone } from "../../test-support/run-alone.ts";
import { describeKernels } from "../kernels/kernels.conformance.ts";
import { normal, seededRandom } from "../linalg/random.ts";
import { matrix } from "../tensor/matrix.ts";
import { openWasmThreads } from "./wasm-threads.ts";

describeKernels("openWasmThreads(2)", () => openWasmThreads(2));

const openAlone = `
  const { openWasmThreads } = await import(node + "wasm-threads.js");
  const kernels = await openWasmThreads(2);`;

describe("openWasmThreads()", () => {
  test("gives bit-identical results on 1 and on 3 threads", async () => {
    const random = seededRandom(1);
    const draw = (rows: number, columns: number) =>
      matrix(
        rows,
        columns,
        Float32Array.from({ length: rows * columns }, () => normal(random)),
      );
    const x = draw(2600, 30);
    const weights = draw(150, 30);
    const bias = draw(1, 150).values;
    const results = await Promise.all(
      [1, 3].map(async (threads) => {
        const kernels = await openWasmThreads(threads);
        const code = await kernels.encode(x, weights, bias, { kind: "top", count: 9 });
        const all = [
          code,
          await kernels.encode(x, weights, bias, {
            kind: "row-threshold",
            threshold: x.values.slice(0, 2600),
          }),
          await kernels.encode(x, weights, bias, {
            kind: "threshold",
            threshold: bias,
            scale: bias,
            offset: bias,
          }),
          await kernels.decode(code, weights, x, -1),
          await kernels.project(code, weights, x),
          await kernels.walk(code, weights, x),
          await kernels.match(x, weights, 4),
        ];
        await kernels.close();
        return all;
      }),
    );
    expect(isDeepStrictEqual(results[1], results[0])).toBe(true);
  });

  test("says what runs", async () => {
    const one = await openWasmThreads(1);
    const two = await openWasmThreads(2);
    expect([one.name, two.name]).toEqual(["wasm, 1 thread", "wasm, 2 threads"]);
    await Promise.all([one.close(), two.close()]);
  });

  test("keeps a process alive for an unfinished call, but not for idle threads", () => {
    const finished = runAlone(`${openAlone}
      const x = { rows: 2000, columns: 8, values: new Float32Array(16000).fill(1) };
      const { cosines } = await kernels.match(x, x, 1);
      console.log("matched", cosines.length);`);
    expect(finished).toEqual({ stdout: "matched 2000\n", stderr: "", status: 0 });
  });

  test("keeps a process alive until it is closed, though answers that nobody awaits come in meanwhile", () => {
    const finished = runAlone(`${openAlone}
      const x = { rows: 1000, columns: 8, values: new Float32Array(8000).fill(1) };
      kernels.match(x, x, 1).catch(() => {});
      const answered = performance.now() + 300;
      while (performance.now() < answered);
      await kernels.close();
      console.log("closed");`);
    expect(finished).toEqual({ stdout: "closed\n", stderr: "", status: 0 });
  });

  test("refuses a number of threads that is none", async () => {
    await expect(openWasmThreads(0)).rejects.toThrow("0 threads");
    await expect(openWasmThreads(1.5)).rejects.toThrow("1.5 threads");
  });
});
