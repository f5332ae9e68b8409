import { expect, test } from "vitest";
import { randomCode } from "../kernels/random-arguments.conformance.ts";
import { seededRandom } from "../linalg/random.ts";
import type { CodeStore } from "./code-store.ts";

/** What holds for every {@link CodeStore}; `open` gives an empty one. */
export function codeStoreConformance(open: () => Promise<CodeStore> | CodeStore): void {
  const stretches = [
    { start: 0, end: 20 },
    { start: 20, end: 40 },
    { start: 20, end: 33 },
    { start: 2 ** 32, end: 2 ** 32 + 20 },
  ];
  const codeOf = (i: number, rows = 12) => randomCode(seededRandom(i), rows, 30);

  test("read() gives nothing before write()", async () => {
    const store = await open();
    expect(store.location).not.toBe("");
    expect(store.bytes).toBe(0);
    for (const stretch of stretches) expect(await store.read(stretch)).toBeUndefined();
  });

  test("read() gives for each stretch what write() returned for it, bit for bit", async () => {
    const store = await open();
    const written = await Promise.all(stretches.map((stretch, i) => store.write(stretch, codeOf(i))));
    const read = await Promise.all([...stretches, ...stretches].map((stretch) => store.read(stretch)));
    expect(read).toEqual([...written, ...written]);
    expect(await store.read({ start: 0, end: 19 })).toBeUndefined();
  });

  test("a code without rows, or without any active latent, is kept", async () => {
    const store = await open();
    const [first, second] = stretches;
    const silent = { ...codeOf(0, 0), rows: 2, offsets: new Int32Array(3) };
    await store.write(first, codeOf(0, 0));
    await store.write(second, silent);
    expect(await store.read(first)).toEqual(codeOf(0, 0));
    expect(await store.read(second)).toEqual(silent);
  });

  test("bytes grow with each stretch, not with one that is written or read again", async () => {
    const store = await open();
    const sizes: number[] = [];
    for (const [i, stretch] of stretches.entries()) {
      const code = codeOf(i);
      await store.write(stretch, code);
      await store.write(stretch, code);
      await store.read(stretch);
      sizes.push(store.bytes);
      expect(store.bytes - (sizes.at(-2) ?? 0)).toBeGreaterThanOrEqual(4 * 13 + 6 * code.indices.length);
    }
    expect(new Set(sizes).size).toBe(stretches.length);
  });
}
