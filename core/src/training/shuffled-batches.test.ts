import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ActivationSource } from "../activations/activation-source.ts";
import type { BatchOptions } from "../activations/batch-range.ts";
import { activationsInMemory } from "../activations/in-memory.ts";
import { DataError, ShapeError, UnsupportedError } from "../errors.ts";
import { zeros } from "../tensor/matrix.ts";
import { recycle } from "../tensor/shared.ts";
import {
  defaultWindowRows,
  type ShuffleOptions,
  type ShufflePosition,
  shuffledBatches,
} from "./shuffled-batches.ts";

const d = 3;

/** A sample whose row i holds i, −i and 1; `marks` are its excluded rows. */
function sample(rows: number, marks: readonly number[] = []): ActivationSource {
  const activations = zeros(rows, d);
  for (let i = 0; i < rows; i++) activations.values.set([i, -i, 1], i * d);
  const excluded = new Uint8Array(rows);
  for (const row of marks) excluded[row] = 1;
  return activationsInMemory(activations, { location: "the sample", ...(marks.length > 0 && { excluded }) });
}

/** The same sample, and the rows that were read of it, in the order in which they were; `pause` comes before every batch. */
function watched(
  source: ActivationSource,
  pause: () => Promise<unknown> = async () => {},
): { readonly source: ActivationSource; readonly log: number[] } {
  const log: number[] = [];
  async function* batches(options?: BatchOptions) {
    for await (const batch of source.batches(options)) {
      await pause();
      for (let i = 0; i < batch.activations.rows; i++) log.push(batch.start + i);
      yield batch;
    }
  }
  return { source: { ...source, batches }, log };
}

const tick = () => new Promise((done) => setTimeout(done));

type Options = ShuffleOptions & { readonly batchRows: number };

/** The first `count` batches from `from` on, as row numbers, with the position behind each. */
async function take(
  source: ActivationSource,
  options: Options,
  count: number,
  from?: ShufflePosition,
): Promise<{ readonly rows: number[]; readonly next: ShufflePosition }[]> {
  const taken: { rows: number[]; next: ShufflePosition }[] = [];
  for await (const { activations, next } of shuffledBatches(source, options, from)) {
    const { rows, columns, values } = activations;
    expect([rows, columns, values.length]).toEqual([options.batchRows, source.d, rows * columns]);
    const numbers = Array.from({ length: rows }, (_, i) => values[i * d]);
    for (let i = 0; i < rows; i++) expect([values[i * d + 1], values[i * d + 2]]).toEqual([-numbers[i], 1]);
    taken.push({ rows: numbers, next });
    // The batch is the caller's.
    values.fill(Number.NaN);
    recycle(values);
    if (taken.length === count) break;
  }
  return taken;
}

const ascending = (rows: readonly number[]) => [...rows].sort((a, b) => a - b);
const upTo = (rows: number) => Array.from({ length: rows }, (_, i) => i);

/** Samples with excluded rows and ways to shuffle them, a batch being no larger than the usable rows. */
const cases = fc
  .record({
    marks: fc.array(fc.boolean(), { minLength: 2, maxLength: 200 }),
    seed: fc.integer(),
    windowRows: fc.integer({ min: 1, max: 250 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ marks, seed, windowRows, share }) => {
    marks[0] = false;
    const excluded = upTo(marks.length).filter((i) => marks[i]);
    const usable = upTo(marks.length).filter((i) => !marks[i]);
    const batchRows = 1 + Math.floor(share * (usable.length - 1));
    return {
      source: sample(marks.length, excluded),
      usable,
      options: { seed, windowRows, batchRows },
    };
  });

test("shuffledBatches() gives every usable row once in each pass", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ source, usable, options }) => {
      const n = usable.length;
      const batches = await take(source, options, Math.ceil((3 * n) / options.batchRows));
      const rows = batches.flatMap((batch) => batch.rows);
      for (const pass of [0, 1, 2]) expect(ascending(rows.slice(pass * n, (pass + 1) * n))).toEqual(usable);
    }),
    { numRuns: 40 },
  );
});

test("shuffledBatches() goes on from any position as if it had not stopped", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ source, usable, options }) => {
      const count = Math.min(14, Math.ceil((2.5 * usable.length) / options.batchRows));
      const batches = await take(source, options, count);
      for (let done = 1; done < count; done++) {
        const rest = await take(source, options, count - done, batches[done - 1].next);
        expect(rest).toEqual(batches.slice(done));
      }
    }),
    { numRuns: 20 },
  );
});

test("shuffledBatches() cuts one sequence, whatever the size of batches", async () => {
  const source = sample(500, [3, 77, 499]);
  const sequence = async (batchRows: number) =>
    (await take(source, { seed: 4, windowRows: 130, batchRows }, Math.ceil(1200 / batchRows)))
      .flatMap(({ rows }) => rows)
      .slice(0, 1200);
  const expected = await sequence(1);
  for (const batchRows of [7, 100, 130, 497]) expect(await sequence(batchRows)).toEqual(expected);
});

test("shuffledBatches() gives another order for every seed and pass", async () => {
  const pass = async (seed: number) => {
    const batches = await take(sample(300), { seed, windowRows: 100, batchRows: 300 }, 2);
    return batches.map(({ rows }) => rows);
  };
  const orders = [...(await pass(1)), ...(await pass(2)), ...(await pass(-1))];
  for (const [i, order] of orders.entries()) {
    for (const other of orders.slice(0, i)) {
      // Two orders drawn at random have one place in common on average.
      expect(order.filter((row, place) => row === other[place]).length).toBeLessThan(12);
    }
  }
});

describe("shuffledBatches() reads", () => {
  test("every row once in a pass", async () => {
    const { source, log } = watched(sample(1000));
    await take(source, { seed: 6, windowRows: 200, batchRows: 100 }, 20);
    expect(ascending(log.slice(0, 1000))).toEqual(upTo(1000));
    expect(ascending(log.slice(1000, 2000))).toEqual(upTo(1000));
  });

  test("one window ahead, so that it holds two windows at most", async () => {
    const windowRows = 200;
    const { source, log } = watched(sample(1000));
    let given = 0;
    let most = 0;
    for await (const { activations } of shuffledBatches(source, { seed: 6, windowRows, batchRows: 50 })) {
      most = Math.max(most, log.length - given);
      given += activations.rows;
      // Time in which all is read that is going to be.
      await tick();
      if (given === 3000) break;
    }
    expect(most).toBeLessThanOrEqual(2 * windowRows);
    expect(most).toBeGreaterThan(windowRows);
  });

  test("at most one window anew when it goes on from a position", async () => {
    const options = { seed: 6, windowRows: 200, batchRows: 70 };
    const plain = sample(1000);
    for (const { next } of await take(plain, options, 14)) {
      const { source, log } = watched(plain);
      // As many batches as leave the pass unfinished, and the window that is read ahead the only one beyond them.
      const given = await take(source, options, 3, next);
      const needed = given.length * options.batchRows;
      expect(log.length).toBeLessThanOrEqual(needed + 2 * options.windowRows);
    }
  });

  test("a sample that fits into one window but once", async () => {
    const { source, log } = watched(sample(300, [5]));
    await take(source, { seed: 6, windowRows: 320, batchRows: 64 }, 40);
    expect(log).toEqual(upTo(300));
  });

  test("no further once the consumer has stopped", async () => {
    const { source, log } = watched(sample(40000), tick);
    for await (const _ of shuffledBatches(source, { seed: 6, windowRows: 12800, batchRows: 8 })) break;
    const read = log.length;
    for (let i = 0; i < 10; i++) await tick();
    expect(log.length).toBe(read);
    expect(read).toBeLessThan(20000);
  });
});

test("shuffledBatches() spreads the documents of a sample that is sorted by them", async () => {
  const documentRows = 100;
  const rows = 40000;
  const batchRows = 256;
  // 256 rows out of 64 segments of 64 rows, each of one document or two.
  const batches = await take(sample(rows), { seed: 2, windowRows: 4096, batchRows }, 150);
  let largestDeviation = 0;
  for (const batch of batches) {
    const sizes = new Map<number, number>();
    for (const row of batch.rows) {
      const document = Math.floor(row / documentRows);
      sizes.set(document, (sizes.get(document) ?? 0) + 1);
    }
    expect(sizes.size).toBeGreaterThan(50);
    expect(Math.max(...sizes.values())).toBeLessThan(30);
    const mean = batch.rows.reduce((sum, row) => sum + row, 0) / batchRows;
    largestDeviation = Math.max(largestDeviation, Math.abs(mean - rows / 2));
  }
  // The mean of 64 places drawn at random has a standard deviation of 0.036 of the sample; an unshuffled batch is 0.5 off.
  expect(largestDeviation / rows).toBeLessThan(0.16);
});

test("shuffledBatches() gives batches that threads can share, where the platform has such memory", async () => {
  for await (const { activations } of shuffledBatches(sample(40), { seed: 1, windowRows: 9, batchRows: 8 })) {
    const isShared = typeof SharedArrayBuffer !== "undefined";
    expect(activations.values.buffer.constructor.name).toBe(isShared ? "SharedArrayBuffer" : "ArrayBuffer");
    break;
  }
});

describe("shuffledBatches() refuses", () => {
  const options = { seed: 1, windowRows: 16, batchRows: 8 };

  test("a sample with fewer rows, or fewer usable rows, than a batch", async () => {
    await expect(take(sample(7), options, 1)).rejects.toThrow(DataError);
    await expect(take(sample(7), options, 1)).rejects.toThrow(/the sample has 7 usable rows \(of 7\).* 8;/);
    const mostlyExcluded = sample(100, upTo(93));
    await expect(take(mostlyExcluded, options, 1)).rejects.toThrow(DataError);
    await expect(take(mostlyExcluded, options, 1)).rejects.toThrow(/7 usable rows \(of 100\)/);
    const empty = sample(100, upTo(100));
    await expect(take(empty, options, 1, { pass: 2, window: 3, offset: 0 })).rejects.toThrow(/0 usable/);
  });

  test("rows that hold NaN, unless they are to be left out", async () => {
    const activations = zeros(50, d);
    for (let i = 0; i < 50; i++) activations.values.set([i, -i, 1], i * d);
    activations.values[31 * d + 1] = Number.NaN;
    const source = activationsInMemory(activations, { location: "the sample" });
    await expect(take(source, options, 10)).rejects.toThrow(/the sample: 1 of rows .* row 31/);
    const batches = await take(source, { ...options, batchRows: 7, skipNonFinite: true }, 7);
    expect(ascending(batches.flatMap(({ rows }) => rows))).toEqual(upTo(50).filter((row) => row !== 31));
  });

  test("options out of range", async () => {
    for (const value of [0, -3, 2.5, Number.NaN]) {
      await expect(take(sample(20), { ...options, batchRows: value }, 1)).rejects.toThrow(ShapeError);
      await expect(take(sample(20), { ...options, windowRows: value }, 1)).rejects.toThrow(ShapeError);
    }
    await expect(take(sample(20), { ...options, seed: 0.5 }, 1)).rejects.toThrow(UnsupportedError);
  });

  test("positions that the sample does not have", async () => {
    const wrong = [
      { pass: -1 },
      { pass: 0.5 },
      { window: 2 },
      { window: -1 },
      { offset: -1 },
      { offset: 11 },
    ];
    for (const change of wrong) {
      const from = { pass: 0, window: 0, offset: 0, ...change };
      await expect(take(sample(20), options, 1, from)).rejects.toThrow(ShapeError);
    }
    await expect(take(sample(20), options, 1, { pass: 0, window: 5, offset: 0 })).rejects.toThrow(
      /window 5, pass 0 of the sample: a pass has 2 windows/,
    );
  });
});

test("defaultWindowRows() takes 128 MiB, or four batches when those take more", () => {
  expect(defaultWindowRows(768, 4096)).toBe(43690);
  expect(defaultWindowRows(512, 64) * 512 * 4).toBe(128 * 2 ** 20);
  expect(defaultWindowRows(16384, 4096)).toBe(16384);
});
