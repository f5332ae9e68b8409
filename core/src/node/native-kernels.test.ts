import { describe, expect, test } from "vitest";
import { nativeAddon, testedInstructions } from "../../test-support/native-addon.ts";
import { UnsupportedError } from "../errors.ts";
import { describeExactSelection } from "../kernels/exact-selection.conformance.ts";
import { describeKernels } from "../kernels/kernels.conformance.ts";
import type { Kernels, Selection } from "../kernels/kernels.ts";
import { randomGroups, randomMatrix, randomSignedCode } from "../kernels/random-arguments.conformance.ts";
import { createWasmKernels } from "../kernels/wasm-kernels.ts";
import { type Random, seededRandom } from "../linalg/random.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { createNativeKernels } from "./native-kernels.ts";

for (const instructions of testedInstructions) {
  const open = async () => createNativeKernels({ threads: 2, instructions });
  describeKernels(`createNativeKernels({ instructions: "${instructions}" })`, open);
  describeExactSelection(`createNativeKernels({ instructions: "${instructions}" })`, open);
}

describe.runIf(nativeAddon)("createNativeKernels()", () => {
  test.each(
    testedInstructions.flatMap((instructions) => [1, 3].map((threads) => ({ instructions, threads }))),
  )(
    "gives the bits of WebAssembly with $instructions on $threads threads",
    async ({ instructions, threads }) => {
      const native = createNativeKernels({ threads, instructions });
      const wasm = await createWasmKernels();
      for (const [b, d, m] of [
        [3, 1, 5],
        [40, 63, 130],
        [700, 40, 300],
        [33, 770, 65],
      ]) {
        const draw = () => allOperations(seededRandom(b + d + m), b, d, m);
        const want = await draw()(wasm);
        const got = await draw()(native);
        want.forEach((array, i) => {
          expect(firstDifference(got[i], array), `result ${i} of ${b} × ${d}, ${m} latents`).toBe(-1);
        });
      }
      await native.close();
    },
  );

  test("says what runs", async () => {
    const best = testedInstructions[testedInstructions.length - 1];
    const one = createNativeKernels({ threads: 1 });
    const two = createNativeKernels({ threads: 2, instructions: "baseline" });
    expect([one.name, two.name]).toEqual([`native (${best}), 1 thread`, "native (baseline), 2 threads"]);
    await Promise.all([one.close(), two.close()]);
  });

  test("refuses a number of threads that is none, more than there can be, and unknown instructions", () => {
    expect(() => createNativeKernels({ threads: 0 })).toThrow("0 threads");
    expect(() => createNativeKernels({ threads: 1.5 })).toThrow("1.5 threads");
    expect(() => createNativeKernels({ threads: 2 ** 31 })).toThrow(
      "Cannot open native kernels on 2147483648",
    );
    const unknown = { threads: 1, instructions: "mmx" };
    expect(() => createNativeKernels(unknown)).toThrow(UnsupportedError);
    expect(() => createNativeKernels(unknown)).toThrow("with mmx instructions: here run baseline");
  });
});

/** A run of every operation on random arguments, some of them in shared memory; what comes out of it. */
function allOperations(random: Random, b: number, d: number, m: number) {
  const x = randomMatrix(random, b, d);
  const weights = inShared(randomMatrix(random, m, d));
  const bias = randomMatrix(random, 1, m).values;
  const code = randomSignedCode(random, b, m);
  const group = randomGroups(random, m);
  const scale = randomMatrix(random, 1, m).values;
  const selections: Selection[] = [
    { kind: "threshold", threshold: new Float32Array(m) },
    { kind: "threshold", threshold: bias, scale },
    { kind: "row-threshold", threshold: randomMatrix(random, 1, b).values },
    { kind: "top", count: 7 },
  ];
  const term = { code: randomSignedCode(random, m, b), rows: x };
  const state = {
    weights: randomMatrix(random, m, d),
    first: inShared(randomMatrix(random, m, d)),
    second: { ...x, rows: m, values: randomMatrix(random, m, d).values.map(Math.abs) },
  };
  return async (kernels: Kernels): Promise<(Float32Array | Int32Array)[]> => {
    const arrays: (Float32Array | Int32Array)[] = [];
    for (const selection of selections) {
      const { offsets, indices, values } = await kernels.encode(x, weights, bias, selection);
      arrays.push(offsets, indices, values);
    }
    const { indices, cosines } = await kernels.match(x, weights, 5);
    arrays.push(indices, cosines);
    arrays.push((await kernels.decode(code, weights, x, -1)).values);
    arrays.push(await kernels.project(code, weights, x));
    arrays.push(await kernels.walk(code, weights, x), await kernels.walk(code, weights, x, group));
    for (const [step, unitRows] of [
      [3, false],
      [4, true],
    ] as const) {
      const adam = { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step };
      await kernels.update(state.weights, state, [term, term], adam, { unitRows });
    }
    return [...arrays, state.weights.values, state.first.values, state.second.values];
  };
}

/** Where two arrays differ in their bits first, −1 if nowhere. */
function firstDifference(a: Float32Array | Int32Array, b: Float32Array | Int32Array): number {
  if (a.length !== b.length) return Math.min(a.length, b.length);
  const bits = (array: Float32Array | Int32Array) =>
    new Int32Array(array.buffer, array.byteOffset, array.length);
  const left = bits(a);
  const right = bits(b);
  return left.findIndex((value, at) => value !== right[at]);
}

function inShared(m: Matrix): Matrix {
  const values = new Float32Array(new SharedArrayBuffer(4 * m.values.length));
  values.set(m.values);
  return { ...m, values };
}
