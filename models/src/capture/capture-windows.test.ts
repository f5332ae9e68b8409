import { type Matrix, ShapeError, seededRandom, zeros } from "@saestitch/core";
import { expect, test } from "vitest";
import { collect } from "../../../core/test-support/collect.ts";
import { plainActivations, prefixModel } from "../../test-support/prefix-model.ts";
import type { TokenWindow } from "../tokens/token-window.ts";
import { captureWindows } from "./capture-windows.ts";

const random = seededRandom(3);
const windows = Array.from({ length: 60 }, (_, document): TokenWindow => {
  const length = 1 + Math.floor(14 * random());
  return {
    tokenIds: Int32Array.from({ length }, () => Math.floor(100 * random())),
    documentIds: new Int32Array(length).fill(document),
    excluded: new Uint8Array(length),
  };
});
const sizes = { batchTokens: 32, lookAhead: 4 };
const rowsOf = ({ rows, columns, values }: Matrix) =>
  Array.from({ length: rows }, (_, i) => [...values.subarray(i * columns, (i + 1) * columns)]);

test("captureWindows() gives the activations of each window, in order and without padding", async () => {
  const model = prefixModel();
  const captured = await collect(captureWindows(model, model.hook, windows, sizes));
  expect(captured.map(({ position }) => position)).toEqual(windows.map((_, i) => i));
  captured.forEach(({ window, activations }, i) => {
    expect(window).toBe(windows[i]);
    expect(rowsOf(activations)).toEqual(plainActivations(windows[i].tokenIds, 3));
  });
  expect(model.batches.length).toBeLessThan(windows.length / 2);
});

test("captureWindows() takes the mean off where processing says so", async () => {
  const model = prefixModel();
  const options = { ...sizes, processing: { centred: true } };
  for (const { activations } of await collect(captureWindows(model, model.hook, windows, options)))
    for (const values of rowsOf(activations))
      expect(Math.abs(values.reduce((sum, value) => sum + value, 0))).toBeLessThan(1e-6);
});

test("captureWindows() between two positions runs the batches it needs, as they are among all", async () => {
  const all = prefixModel();
  await collect(captureWindows(all, all.hook, windows, sizes));
  for (const [from, to] of [
    [0, 1],
    [17, 30],
    [59, 60],
    [12, 12],
  ]) {
    const model = prefixModel();
    const captured = await collect(captureWindows(model, model.hook, windows, { ...sizes, from, to }));
    expect(captured.map(({ position }) => position)).toEqual(
      Array.from({ length: to - from }, (_, i) => from + i),
    );
    expect(model.batches.length).toBeLessThan(all.batches.length);
    for (const batch of model.batches) expect(all.batches).toContainEqual(batch);
  }
});

test("captureWindows() hands the model the next batch before it gives the windows of the last", async () => {
  const model = prefixModel();
  let given = 0;
  for await (const _ of captureWindows(model, model.hook, windows.slice(0, 30), sizes)) {
    given++;
    if (given < 15) expect(model.running).toBe(1);
  }
  expect(model.running).toBe(0);
});

test("captureWindows() left early waits until the model has finished, and closes the windows", async () => {
  const model = prefixModel();
  let closed = false;
  async function* source() {
    try {
      yield* windows;
    } finally {
      closed = true;
    }
  }
  for await (const { position } of captureWindows(model, model.hook, source(), sizes)) {
    expect(position).toBe(0);
    break;
  }
  expect(model.running).toBe(0);
  expect(closed).toBe(true);
});

test("captureWindows() passes on the failure of the model, and of the windows, and waits for what runs", async () => {
  const model = prefixModel();
  let calls = 0;
  const failing = {
    activations: (...args: Parameters<typeof model.activations>) =>
      ++calls === 3 ? Promise.reject(new Error("no memory")) : model.activations(...args),
  };
  await expect(collect(captureWindows(failing, model.hook, windows, sizes))).rejects.toThrow("no memory");
  expect(model.running).toBe(0);

  async function* broken() {
    yield* windows.slice(0, 40);
    throw new Error("no text");
  }
  await expect(collect(captureWindows(model, model.hook, broken(), sizes))).rejects.toThrow("no text");
  expect(model.running).toBe(0);
});

test("captureWindows() refuses activations of another size than the batch", async () => {
  const { hook } = prefixModel();
  const model = { activations: async () => zeros(2, 3) };
  await expect(collect(captureWindows(model, hook, windows, sizes))).rejects.toThrow(ShapeError);
});
