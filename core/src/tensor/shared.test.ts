import { expect, test } from "vitest";
import { allocateFloat32, allocateInt32, recycle } from "./shared.ts";

test("allocateFloat32() and allocateInt32() give zeros in shared memory", () => {
  expect(Array.from(allocateFloat32(3))).toEqual([0, 0, 0]);
  expect(Array.from(allocateInt32(2))).toEqual([0, 0]);
  expect(allocateFloat32(1).buffer).toBeInstanceOf(SharedArrayBuffer);
});

test("allocateFloat32() in a loop leaves memory to be collected that is no longer used", async () => {
  const buffers: WeakRef<ArrayBufferLike>[] = [];
  for (let i = 0; i < 200; i++) {
    buffers.push(new WeakRef(allocateFloat32(2 ** 20).buffer));
    // Weak references hold until the current job ends.
    await new Promise((resolve) => setTimeout(resolve));
  }
  expect(buffers.filter((buffer) => buffer.deref() === undefined).length).toBeGreaterThan(50);
});

test("allocateFloat32() reuses what recycle() was given, zeroed, for an array of about its size", () => {
  const first = allocateFloat32(100_000).fill(7);
  recycle(first);
  recycle(first);
  const second = allocateFloat32(99_000);
  expect(second.buffer).toBe(first.buffer);
  expect(second.length).toBe(99_000);
  expect(second.every((value) => value === 0)).toBe(true);
  expect(allocateFloat32(99_000).buffer).not.toBe(first.buffer);
});

test("recycle() leaves arrays alone that allocateFloat32() did not make, and views of part of one", () => {
  const foreign = new Float32Array(new SharedArrayBuffer(400_000));
  const whole = allocateFloat32(200_000);
  recycle(foreign);
  recycle(whole.subarray(0, 100_000));
  recycle(whole.subarray(100_000));
  const fresh = allocateFloat32(100_000);
  expect([foreign.buffer, whole.buffer]).not.toContain(fresh.buffer);
});

test("recycle() keeps a bounded number of blocks", () => {
  const arrays = Array.from({ length: 40 }, () => allocateFloat32(50_000));
  for (const array of arrays) recycle(array);
  const kept = new Set(arrays.map(({ buffer }) => buffer));
  const reused = Array.from({ length: 40 }, () => allocateFloat32(50_000)).filter(({ buffer }) =>
    kept.has(buffer),
  );
  expect(reused.length).toBe(16);
});
