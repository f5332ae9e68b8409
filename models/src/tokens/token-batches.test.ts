import { ShapeError, seededRandom } from "@saestitch/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { collect } from "../../../core/test-support/collect.ts";
import { type BatchSizes, tokenBatches, type WindowBatch } from "./token-batches.ts";
import type { TokenWindow } from "./token-window.ts";

/** Windows of these lengths, whose tokens are all different. */
function windowsOf(lengths: readonly number[]): TokenWindow[] {
  let token = 1;
  return lengths.map((length, position) => ({
    tokenIds: Int32Array.from({ length }, () => token++),
    documentIds: new Int32Array(length).fill(position),
    excluded: new Uint8Array(length),
  }));
}

const batchesOf = (
  windows: readonly TokenWindow[],
  options: BatchSizes & { from?: number; to?: number } = {},
) => collect(tokenBatches(windows, options));

const paddedTokens = (batches: readonly WindowBatch[]) =>
  batches.reduce((sum, { batch }) => sum + batch.rows * batch.length, 0);

test("tokenBatches() puts every window into one row, padded with 0 on the right", async () => {
  const sizes = { batchTokens: 24, lookAhead: 3 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 60 }),
      async (lengths) => {
        const windows = windowsOf(lengths);
        const batches = await batchesOf(windows, sizes);
        for (const { batch, windows: rows, positions } of batches) {
          expect(batch.rows).toBe(rows.length);
          expect(batch.rows === 1 || batch.rows * batch.length <= sizes.batchTokens).toBe(true);
          expect(batch.length).toBe(Math.max(...batch.lengths));
          rows.forEach((window, i) => {
            const tokens = [...batch.tokenIds.subarray(i * batch.length, (i + 1) * batch.length)];
            expect(tokens.slice(0, batch.lengths[i])).toEqual([...window.tokenIds]);
            expect(tokens.slice(batch.lengths[i])).toEqual(Array(batch.length - batch.lengths[i]).fill(0));
            expect(windows[positions[i]]).toBe(window);
          });
        }
        const positions = batches.flatMap((batch) => batch.positions);
        expect(positions.toSorted((a, b) => a - b)).toEqual(windows.map((_, i) => i));
      },
    ),
    { numRuns: 30 },
  );
});

test("tokenBatches() pads far less than batches in the order of the text", async () => {
  const random = seededRandom(8);
  const windows = windowsOf(Array.from({ length: 400 }, () => 1 + Math.floor(64 * random() ** 2)));
  const tokens = windows.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  const sorted = paddedTokens(await batchesOf(windows, { batchTokens: 256 })) - tokens;
  const unsorted = paddedTokens(await batchesOf(windows, { batchTokens: 256, lookAhead: 1 })) - tokens;
  expect(sorted).toBeLessThan(0.1 * tokens);
  expect(unsorted).toBeGreaterThan(2.5 * sorted);
});

test("tokenBatches() leaves windows of one length in order", async () => {
  const batches = await batchesOf(windowsOf(Array(50).fill(8)), { batchTokens: 32 });
  expect(batches.every(({ batch }) => batch.rows <= 4 && batch.length === 8)).toBe(true);
  expect(batches.flatMap(({ positions }) => positions)).toEqual(Array.from({ length: 50 }, (_, i) => i));
});

test("tokenBatches() between two positions gives the batches of all that hold one of them", async () => {
  const random = seededRandom(9);
  const windows = windowsOf(Array.from({ length: 70 }, () => 1 + Math.floor(12 * random())));
  const sizes = { batchTokens: 20, lookAhead: 4 };
  const all = await batchesOf(windows, sizes);
  for (const [from, to] of [
    [0, 1],
    [13, 14],
    [20, 45],
    [69, 70],
    [30, 30],
  ])
    expect(await batchesOf(windows, { ...sizes, from, to })).toEqual(
      all.filter(({ positions }) => positions.some((position) => position >= from && position < to)),
    );
});

test("tokenBatches() takes one batch's worth of windows for each batch it gives, beyond its look-ahead", async () => {
  let taken = 0;
  let closed = false;
  async function* counted() {
    try {
      for (const window of windowsOf(Array(200).fill(4))) {
        taken++;
        yield window;
      }
    } finally {
      closed = true;
    }
  }
  const batches = tokenBatches(counted(), { batchTokens: 8, lookAhead: 3 });
  const takenAfter: number[] = [];
  for (let i = 0; i < 5; i++) {
    await batches.next();
    takenAfter.push(taken);
  }
  expect(takenAfter).toEqual([6, 8, 10, 12, 14]);
  await batches.return(undefined);
  expect(closed).toBe(true);
});

test("tokenBatches() refuses sizes that no batches have", async () => {
  for (const sizes of [{ batchTokens: 0 }, { lookAhead: 0 }, { batchTokens: 1.5 }])
    await expect(batchesOf(windowsOf([1]), sizes)).rejects.toThrow(ShapeError);
});
