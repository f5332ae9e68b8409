import { describe, expect, test, vi } from "vitest";
import { normal, seededRandom } from "../linalg/random.ts";
import { type Matrix, matrix, row, zeros } from "../tensor/matrix.ts";
import type { KernelPort, KernelReply, KernelServerPort, KernelTask } from "./kernel-messages.ts";
import { createKernelPool } from "./kernel-pool.ts";
import { serveKernels } from "./kernel-server.ts";
import { createWasmKernels } from "./wasm-kernels.ts";

/** A port whose worker lives in this thread; `answer` may stand for it, and `tasks` are those it was sent. */
interface TestPort extends KernelPort {
  readonly tasks: KernelTask[];
  readonly terminate: () => void;
}

function servedPort(): TestPort {
  const server: KernelServerPort = {
    onmessage: null,
    postMessage: (reply) => queueMicrotask(() => port.onmessage?.({ data: reply })),
  };
  const port = answeringPort((task) => server.onmessage?.({ data: task }));
  serveKernels(server);
  return port;
}

/** A port that opens well and hands every other task to `answer`. */
function answeringPort(answer: (task: KernelTask, reply: (reply: KernelReply) => void) => void): TestPort {
  const port: TestPort = {
    tasks: [],
    onmessage: null,
    onerror: null,
    terminate: vi.fn(),
    postMessage(task) {
      port.tasks.push(task);
      const reply = (data: KernelReply) => queueMicrotask(() => port.onmessage?.({ data }));
      if (task.kind === "open") reply({ result: undefined });
      else answer(task, reply);
    },
  };
  return port;
}

function spawnFrom(ports: readonly KernelPort[]): () => KernelPort {
  const left = [...ports];
  return () => left.shift()!;
}

function copyOf(m: Matrix): Matrix {
  return { ...m, values: m.values.slice() };
}

const random = seededRandom(1);
const x = matrix(
  3000,
  2,
  Float32Array.from({ length: 6000 }, () => normal(random)),
);
const two = matrix(2, 2, Float32Array.of(1, 0, 0, 1));

describe("createKernelPool()", () => {
  test("shares rows out among the workers in order, none twice", async () => {
    const ports = [servedPort(), servedPort()];
    const kernels = await createKernelPool(spawnFrom(ports), 2);
    const { indices } = await kernels.match(x, two, 1);
    expect(Array.from(indices)).toEqual(
      Array.from({ length: x.rows }, (_, i) => Number(row(x, i)[1] > row(x, i)[0])),
    );
    const shares = ports.flatMap(({ tasks }) =>
      tasks.flatMap((task) => (task.kind === "match" ? [task.rows.rows] : [])),
    );
    expect(shares.sort((a, b) => b - a)).toEqual([1024, 1024, 952]);
    expect(ports.every(({ tasks }) => tasks.some(({ kind }) => kind === "match"))).toBe(true);
    await kernels.close();
  });

  test("passes shared arrays on as they are and others as shared copies", async () => {
    const port = servedPort();
    const kernels = await createKernelPool(() => port, 1);
    const shared: Matrix = { rows: 2, columns: 2, values: new Float32Array(new SharedArrayBuffer(16)) };
    await kernels.match(two, shared, 1);
    const task = port.tasks.at(-1);
    if (task?.kind !== "match") throw new Error("No match was asked for");
    expect(task.among.values.buffer).toBe(shared.values.buffer);
    expect(task.rows.values.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(Array.from(task.rows.values)).toEqual(Array.from(two.values));
  });

  test("shares a walk out among the workers, its groups in shared memory, with the result of one thread", async () => {
    const decoder = matrix(3, 2, Float32Array.of(1, 0.3, -0.7, 0.1, 0.2, 1));
    const code = {
      rows: x.rows,
      columns: 3,
      offsets: Int32Array.from({ length: x.rows + 1 }, (_, i) => 3 * i),
      indices: Int32Array.from({ length: 3 * x.rows }, (_, entry) => entry % 3),
      values: Float32Array.from({ length: 3 * x.rows }, () => normal(random)),
    };
    const alone = await createWasmKernels();
    for (const group of [undefined, Int32Array.of(4, 4, 5)]) {
      const ports = [servedPort(), servedPort(), servedPort()];
      const kernels = await createKernelPool(spawnFrom(ports), 3);
      expect(await kernels.walk(code, decoder, x, group)).toEqual(await alone.walk(code, decoder, x, group));
      const walks = ports.flatMap(({ tasks }) => tasks.filter((task) => task.kind === "walk"));
      expect(walks.reduce((sum, { residual }) => sum + residual.rows, 0)).toBe(x.rows);
      expect(walks).toHaveLength(3);
      for (const walk of walks) {
        expect(walk.group).toEqual(group);
        if (walk.group !== undefined) expect(walk.group.buffer).toBeInstanceOf(SharedArrayBuffer);
      }
      await kernels.close();
    }
  });

  test("shares an update out among the workers, in place where memory is shared, with the bits of one thread", async () => {
    const code = {
      rows: x.rows,
      columns: 2,
      offsets: Int32Array.from({ length: x.rows + 1 }, (_, j) => j),
      indices: Int32Array.from({ length: x.rows }, (_, j) => j % 2),
      values: Float32Array.from({ length: x.rows }, () => normal(random)),
    };
    const gradient = [{ code, rows: two }];
    const adam = { rate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, step: 3 };
    const state = () => ({ weights: copyOf(x), first: copyOf(x), second: zeros(x.rows, 2) });
    const alone = await createWasmKernels();
    for (const unitRows of [false, true]) {
      const want = state();
      await alone.update(want.weights, want, gradient, adam, { unitRows });
      const ports = [servedPort(), servedPort(), servedPort()];
      const kernels = await createKernelPool(spawnFrom(ports), 3);
      const got = state();
      await kernels.update(got.weights, got, gradient, adam, { unitRows });
      expect(got).toEqual(want);
      const tasks = ports.flatMap((port) => port.tasks.filter((task) => task.kind === "update"));
      expect(tasks).toHaveLength(3);
      expect(tasks.reduce((sum, { weights }) => sum + weights.rows, 0)).toBe(x.rows);
      for (const task of tasks) {
        expect(task.moments.second.values.buffer).toBe(got.second.values.buffer);
        expect(task.weights.values.buffer).toBeInstanceOf(SharedArrayBuffer);
        expect(task.gradient[0].code.values.buffer).toBeInstanceOf(SharedArrayBuffer);
      }
      await kernels.close();
    }
  });

  test("rejects the call whose task threw, with its message, and goes on", async () => {
    const port = answeringPort((task, reply) => {
      reply(task.kind === "match" ? { error: "out of luck" } : { result: undefined });
    });
    const kernels = await createKernelPool(() => port, 1);
    const code = {
      rows: 2,
      columns: 2,
      offsets: new Int32Array(3),
      indices: new Int32Array(0),
      values: new Float32Array(0),
    };
    await expect(kernels.match(x, two, 1)).rejects.toThrow("Cannot match: out of luck");
    await expect(kernels.project(code, two, two)).resolves.toHaveLength(0);
  });

  test("rejects everything unfinished, and all that comes later, when a worker dies", async () => {
    const silent = answeringPort(() => {});
    const dying = answeringPort(() =>
      queueMicrotask(() => dying.onerror?.({ message: "it ran out of memory" })),
    );
    const kernels = await createKernelPool(spawnFrom([silent, dying]), 2);
    const calls = [kernels.match(x, two, 1), kernels.match(two, two, 1)];
    for (const call of calls)
      await expect(call).rejects.toThrow("Cannot match: a worker failed: it ran out of memory");
    await expect(kernels.match(x, two, 1)).rejects.toThrow("it ran out of memory");
    expect(silent.terminate).toHaveBeenCalled();
    expect(dying.terminate).toHaveBeenCalled();
  });

  test("close() rejects what is unfinished", async () => {
    const silent = answeringPort(() => {});
    const kernels = await createKernelPool(() => silent, 1);
    const call = kernels.match(two, two, 1);
    const rejected = expect(call).rejects.toThrow("Cannot match: the kernels are closed");
    // The call is under way once its task has been sent.
    await vi.waitFor(() => expect(silent.tasks).toHaveLength(2));
    await kernels.close();
    await rejected;
  });

  test("rejects when a worker cannot be loaded", async () => {
    const port: KernelPort = {
      onmessage: null,
      onerror: null,
      terminate: () => {},
      postMessage: () => queueMicrotask(() => port.onerror?.({})),
    };
    await expect(createKernelPool(() => port, 1)).rejects.toThrow(
      "Cannot open the kernels: a worker failed: it could not be loaded",
    );
  });
});
