import { expect, test } from "vitest";
import { zeros } from "../tensor/matrix.ts";
import type { ActivationBatch } from "./activation-source.ts";
import { mapBatches } from "./map-batches.ts";

async function* numbered(count: number, read: number[] = []): AsyncGenerator<ActivationBatch> {
  for (let start = 0; start < count; start++) {
    read.push(start);
    yield { start, activations: zeros(1, 1) };
  }
}

async function collect<T>(results: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const result of results) all.push(result);
  return all;
}

test("mapBatches() yields in order, however long each batch takes", async () => {
  const work = async ({ start }: ActivationBatch) => {
    await new Promise((done) => setTimeout(done, start % 3 === 0 ? 5 : 0));
    return start;
  };
  expect(await collect(mapBatches(numbered(8), work, { ahead: 3 }))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("mapBatches() works on as many batches at a time as asked, and reads no further", async () => {
  let running = 0;
  let most = 0;
  const read: number[] = [];
  const work = async () => {
    most = Math.max(most, ++running);
    await new Promise((done) => setTimeout(done, 5));
    running--;
  };
  for await (const _ of mapBatches(numbered(20, read), work, { ahead: 4 })) break;
  expect(most).toBe(4);
  expect(read.length).toBe(4);
});

test("mapBatches() throws a batch's failure where its result would have come", async () => {
  const seen: number[] = [];
  const work = async ({ start }: ActivationBatch) => {
    if (start >= 2) throw new Error(`batch ${start}`);
    return start;
  };
  const run = async () => {
    for await (const result of mapBatches(numbered(9), work, { ahead: 4 })) seen.push(result);
  };
  await expect(run()).rejects.toThrow("batch 2");
  expect(seen).toEqual([0, 1]);
});

test("mapBatches() throws a failure of reading", async () => {
  async function* broken(): AsyncGenerator<ActivationBatch> {
    yield { start: 0, activations: zeros(1, 1) };
    throw new Error("cut short");
  }
  await expect(collect(mapBatches(broken(), async () => 1))).rejects.toThrow("cut short");
});
