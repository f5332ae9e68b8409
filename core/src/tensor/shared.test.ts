import { expect, test } from "vitest";
import { allocateFloat32, allocateInt32 } from "./shared.ts";

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
