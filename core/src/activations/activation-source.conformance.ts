import { describe, expect, test } from "vitest";
import { ShapeError } from "../errors.ts";
import type { ActivationBatch, ActivationSource } from "./activation-source.ts";
import type { BatchOptions } from "./batch-range.ts";

/** The rows of several batches, one after the other. */
export interface CollectedRows {
  readonly activations: Float32Array;
  readonly documentIds?: Int32Array;
  readonly tokenIds?: Int32Array;
  /** [n]; absent when no batch had any. */
  readonly excluded?: Uint8Array;
}

/** Read rows of `source` and join them. Fails when a batch does not follow the one before, or is not as large as it says. */
export async function collectRows(
  source: ActivationSource,
  options: BatchOptions = {},
): Promise<CollectedRows> {
  const batches: ActivationBatch[] = [];
  let next = options.start ?? 0;
  for await (const batch of source.batches(options)) {
    const { rows, columns, values } = batch.activations;
    expect(batch.start).toBe(next);
    expect(rows).toBeGreaterThan(0);
    expect(rows).toBeLessThanOrEqual(options.batchRows ?? 2048);
    expect(columns).toBe(source.d);
    expect(values.length).toBe(rows * columns);
    for (const ids of [batch.documentIds, batch.tokenIds, batch.excluded]) {
      if (ids !== undefined) expect(ids.length).toBe(rows);
    }
    if (batch.excluded !== undefined)
      expect(batch.excluded.every((mark) => mark === 0 || mark === 1)).toBe(true);
    next += rows;
    batches.push(batch);
  }
  expect(next).toBe(options.end ?? source.rows);
  const rows = next - (options.start ?? 0);
  const documentIds = joinIds(batches.map((batch) => batch.documentIds));
  const tokenIds = joinIds(batches.map((batch) => batch.tokenIds));
  const excluded = new Uint8Array(rows);
  const activations = new Float32Array(rows * source.d);
  let row = 0;
  for (const batch of batches) {
    activations.set(batch.activations.values, row * source.d);
    if (batch.excluded !== undefined) excluded.set(batch.excluded, row);
    row += batch.activations.rows;
  }
  return {
    activations,
    ...(documentIds && { documentIds }),
    ...(tokenIds && { tokenIds }),
    ...(batches.some((batch) => batch.excluded !== undefined) && { excluded }),
  };
}

/** The ids of all batches, or none: a source that knows its ids knows them everywhere. */
function joinIds(parts: readonly (Int32Array | undefined)[]): Int32Array | undefined {
  const present = parts.filter((part) => part !== undefined);
  expect([0, parts.length]).toContain(present.length);
  if (present.length === 0) return undefined;
  const joined = new Int32Array(present.reduce((length, part) => length + part.length, 0));
  let row = 0;
  for (const part of present) {
    joined.set(part, row);
    row += part.length;
  }
  return joined;
}

/** Rows `start` to `end` of what {@link collectRows} gave for the whole of a source of width `d`. */
function sliceRows(all: CollectedRows, d: number, start: number, end: number): CollectedRows {
  return {
    activations: all.activations.slice(start * d, end * d),
    ...(all.documentIds && { documentIds: all.documentIds.slice(start, end) }),
    ...(all.tokenIds && { tokenIds: all.tokenIds.slice(start, end) }),
    ...(all.excluded && { excluded: all.excluded.slice(start, end) }),
  };
}

/** Equal rows, where a mask without marks and no mask say the same. */
function expectSameRows(actual: CollectedRows, expected: CollectedRows): void {
  expectSameNumbers(actual.activations, expected.activations);
  expectSameNumbers(actual.documentIds, expected.documentIds);
  expectSameNumbers(actual.tokenIds, expected.tokenIds);
  const n = expected.excluded?.length ?? actual.excluded?.length ?? 0;
  expectSameNumbers(actual.excluded ?? new Uint8Array(n), expected.excluded ?? new Uint8Array(n));
}

/** As `toEqual`, which takes seconds over a million numbers. */
function expectSameNumbers(
  actual: ArrayLike<number> | undefined,
  expected: ArrayLike<number> | undefined,
): void {
  expect(actual?.length).toBe(expected?.length);
  if (actual === undefined || expected === undefined) return;
  let i = 0;
  while (i < actual.length && Object.is(actual[i], expected[i])) i++;
  if (i < actual.length)
    expect({ position: i, value: actual[i] }).toEqual({ position: i, value: expected[i] });
}

/** The cases every implementation of the {@link ActivationSource} contract must pass. `open` must give at least five rows. */
export function describeActivationSource(
  name: string,
  open: () => ActivationSource | Promise<ActivationSource>,
): void {
  describe(`${name} is an ActivationSource`, () => {
    test("it gives all its rows, the same ones on every pass", async () => {
      const source = await open();
      const first = await collectRows(source);
      expect(first.activations.length).toBe(source.rows * source.d);
      expect(source.rows).toBeGreaterThanOrEqual(5);
      expectSameRows(await collectRows(source), first);
      expectSameRows(await collectRows(await open()), first);
    });

    test("any start, end and batch size give the same rows", async () => {
      const source = await open();
      const all = await collectRows(source);
      const n = source.rows;
      const middle = Math.floor(n / 2);
      const near = (row: number) => [row - 1, row, row + 1].filter((edge) => edge >= 0 && edge <= n);
      const edges = [...new Set([...near(0), ...near(Math.floor(n / 3)), ...near(middle), ...near(n)])];
      for (const start of edges) {
        for (const end of edges.filter((edge) => edge > start)) {
          // A pass over many rows one by one takes long and shows nothing new.
          const sizes = [1, 2, 7, middle, n, n + 1].filter((rows) => rows > 0 && (end - start) / rows <= 64);
          for (const batchRows of sizes) {
            const rows = await collectRows(source, { start, end, batchRows });
            expectSameRows(rows, sliceRows(all, source.d, start, end));
          }
        }
      }
    });

    test("no rows make no batch", async () => {
      const source = await open();
      for (const row of [0, 2, source.rows]) {
        for await (const batch of source.batches({ start: row, end: row })) expect(batch).toBeUndefined();
      }
    });

    test("rows that it does not have are refused with a ShapeError", async () => {
      const source = await open();
      const n = source.rows;
      const wrong = [
        { start: -1 },
        { start: n + 1 },
        { end: n + 1 },
        { start: 3, end: 2 },
        { start: 0.5 },
        { end: Number.NaN },
        { batchRows: 0 },
        { batchRows: 1.5 },
        { batchRows: -4 },
      ];
      for (const options of wrong) {
        await expect(async () => {
          for await (const batch of source.batches(options)) expect(batch).toBeUndefined();
        }).rejects.toThrow(ShapeError);
      }
    });

    test("several passes at once do not disturb each other", async () => {
      const source = await open();
      const all = await collectRows(source);
      const end = Math.min(source.rows, 200);
      const passes = [3, 5, 64].map((batchRows) => collectRows(source, { end, batchRows }));
      for (const rows of await Promise.all(passes)) expectSameRows(rows, sliceRows(all, source.d, 0, end));
    });

    test("a pass that is left early leaves the next one whole", async () => {
      const source = await open();
      const all = await collectRows(source);
      for await (const batch of source.batches({ batchRows: 2 })) {
        expect(batch.start).toBe(0);
        break;
      }
      expectSameRows(await collectRows(source), all);
    });

    test("the arrays of a batch belong to the caller", async () => {
      const source = await open();
      const all = await collectRows(source);
      for await (const batch of source.batches({ batchRows: 64 })) {
        batch.activations.values.fill(Number.NaN);
        batch.documentIds?.fill(-7);
        batch.tokenIds?.fill(-7);
        batch.excluded?.fill(9);
      }
      expectSameRows(await collectRows(source), all);
    });
  });
}
