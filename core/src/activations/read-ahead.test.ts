import { expect, test } from "vitest";
import { readAhead } from "./read-ahead.ts";

test("readAhead() gives the results in order", async () => {
  const results: number[] = [];
  for await (const result of readAhead([1, 2, 3], async (item) => item * 10)) results.push(result);
  expect(results).toEqual([10, 20, 30]);
});

test("readAhead() has begun the next item, and no other, while the consumer works on one", async () => {
  const begun: number[] = [];
  let handled = 0;
  for await (const result of readAhead([0, 1, 2, 3], async (item) => {
    begun.push(item);
    return item;
  })) {
    expect(result).toBe(handled++);
    expect(begun).toEqual([0, 1, 2, 3].slice(0, handled + 1));
  }
  expect(handled).toBe(4);
});

test("readAhead() throws a failure where its result would have come, and reads nothing after it", async () => {
  const begun: number[] = [];
  const results: number[] = [];
  await expect(async () => {
    for await (const result of readAhead([0, 1, 2, 3], async (item) => {
      begun.push(item);
      if (item === 2) throw new Error("item 2");
      return item;
    }))
      results.push(result);
  }).rejects.toThrow("item 2");
  expect(results).toEqual([0, 1]);
  expect(begun).toEqual([0, 1, 2]);
});

test("readAhead() stops when the consumer does, and has no read in progress afterwards", async () => {
  let inProgress = 0;
  const begun: number[] = [];
  for await (const result of readAhead([0, 1, 2, 3], async (item) => {
    begun.push(item);
    inProgress++;
    await new Promise((resolve) => setTimeout(resolve, 5));
    inProgress--;
    if (item === 1) throw new Error("nobody waits for this");
    return item;
  })) {
    expect(result).toBe(0);
    break;
  }
  expect(inProgress).toBe(0);
  expect(begun).toEqual([0, 1]);
});
