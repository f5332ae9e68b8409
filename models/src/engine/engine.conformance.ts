import { FormatError } from "@saestitch/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeOnnx } from "../onnx/encode-onnx.ts";
import { makeModel } from "../onnx/make-model.ts";
import { makeNode } from "../onnx/make-node.ts";
import { makeFloatTensor } from "../onnx/make-tensor.ts";
import { makeValue } from "../onnx/make-value.ts";
import { elementTypes } from "../onnx/onnx-model.ts";
import type { EncodedGraph, Engine, EngineSession, HostTensor, TensorType } from "./engine.ts";

/** y = 2x and z = y + 1, of any length. */
const twoOutputs = encoded({
  nodes: [makeNode("Add", ["x", "x"], ["y"]), makeNode("Add", ["y", "one"], ["z"])],
  initializers: [makeFloatTensor("one", [], [1])],
  inputs: [makeValue("x", elementTypes.float32, ["n"])],
  outputs: ["y", "z"].map((name) => makeValue(name, elementTypes.float32, ["n"])),
});

/** picked = table[index]: fails for an index that the table does not have. */
const picking = encoded({
  nodes: [makeNode("Gather", ["table", "index"], ["picked"])],
  initializers: [makeFloatTensor("table", [3], [10, 20, 30])],
  inputs: [makeValue("index", elementTypes.int64, ["n"])],
  outputs: [makeValue("picked", elementTypes.float32, ["n"])],
});

/** sum = a + b. */
const adding = encoded({
  nodes: [makeNode("Add", ["a", "b"], ["sum"])],
  inputs: ["a", "b"].map((name) => makeValue(name, elementTypes.float32, ["n"])),
  outputs: [makeValue("sum", elementTypes.float32, ["n"])],
});

/** What every {@link Engine} must do. */
export function testEngine(open: () => Promise<Engine>): void {
  describe("as an engine", () => {
    let engine: Engine;
    let session: EngineSession;
    beforeEach(async () => {
      engine = await open();
      session = await engine.load(twoOutputs());
    });
    afterEach(() => engine.close());

    test("has a name, and says what a graph reads and writes", () => {
      expect(engine.name).toMatch(/^ONNX Runtime \d+\.\d+\.\d+, \w+$/);
      const described = { type: "float32", shape: ["n"] };
      expect(session.inputs).toEqual([{ name: "x", ...described }]);
      expect(session.outputs).toEqual([
        { name: "y", ...described },
        { name: "z", ...described },
      ]);
    });

    test("fetches the outputs that are wanted, and no others", async () => {
      const { fetched, kept } = await session.run({ x: floats(1, -2.5) }, { fetch: ["z"] });
      expect(fetched).toEqual({ z: floats(3, -4) });
      expect(kept).toEqual({});
    });

    test("keeps what is wanted, feeds it to another graph, and fetches the same output beside", async () => {
      const first = await session.run({ x: floats(1, 2) }, { fetch: ["y"], keep: ["y", "z"] });
      expect(Object.keys(first.kept).sort()).toEqual(["y", "z"]);
      expect(first.kept.y).toMatchObject({ type: "float32", dims: [2] });
      // Memory that was fetched is the caller's.
      (first.fetched.y.data as Float32Array).fill(99);
      const sum = await engine.load(adding());
      const { y, z } = first.kept;
      for (let again = 0; again < 2; again++) {
        const { fetched } = await sum.run({ a: y, b: z }, { fetch: ["sum"] });
        expect(fetched.sum).toEqual(floats(5, 9));
      }
      await session.close();
      expect((await sum.run({ a: y, b: y }, { fetch: ["sum"] })).fetched.sum).toEqual(floats(4, 8));
    });

    test("feeds two inputs from one memory", async () => {
      const sum = await engine.load(adding());
      const { buffer } = Float32Array.of(1, 2, 3);
      const part = (from: number): HostTensor => ({
        type: "float32",
        dims: [2],
        data: new Float32Array(buffer, 4 * from, 2),
      });
      expect((await sum.run({ a: part(0), b: part(1) }, { fetch: ["sum"] })).fetched.sum).toEqual(
        floats(3, 5),
      );
    });

    test("forgets a tensor that is released, once", async () => {
      const { kept } = await session.run({ x: floats(1) }, { keep: ["y", "z"] });
      await engine.release([kept.y]);
      await engine.release([kept.y]);
      await expect(session.run({ x: kept.y }, { fetch: ["y"] })).rejects.toThrow(/released/);
      expect((await session.run({ x: kept.z }, { fetch: ["y"] })).fetched.y).toEqual(floats(6));
    });

    test("runs in the order in which it was asked", async () => {
      const done: number[] = [];
      const runs = Array.from({ length: 6 }, async (_, i) => {
        // The first are the longest.
        const x = { type: "float32", dims: [10 ** (6 - i)], data: new Float32Array(10 ** (6 - i)).fill(i) };
        const { fetched } = await session.run({ x: x as HostTensor }, { fetch: ["y"] });
        done.push(i);
        return fetched.y.data[0];
      });
      expect(await Promise.all(runs)).toEqual([0, 2, 4, 6, 8, 10]);
      expect(done).toEqual([0, 1, 2, 3, 4, 5]);
    });

    test("refuses a run without an input, with one of another type, or for an output there is not, and goes on", async () => {
      const refused = [
        [{}, { fetch: ["y"] }],
        [{ x: floats(1) }, { fetch: ["nothing"] }],
        [{ x: { type: "int64", dims: [1], data: BigInt64Array.of(1n) } }, { fetch: ["y"] }],
      ] as const;
      for (const [feeds, wanted] of refused) await expect(session.run(feeds, wanted)).rejects.toThrow();
      expect((await session.run({ x: floats(1) }, { fetch: ["y"] })).fetched.y).toEqual(floats(2));
    });

    test("rejects a run that fails with a FormatError, and goes on", async () => {
      const pick = await engine.load(picking());
      const at = (index: bigint) => ({
        index: { type: "int64" as const, dims: [1], data: BigInt64Array.of(index) },
      });
      const failed = pick.run(at(7n), { fetch: ["picked"] });
      await expect(failed).rejects.toThrow(FormatError);
      await expect(failed).rejects.toThrow(/ONNX Runtime cannot run the graph: .*Gather.*7/s);
      expect((await pick.run(at(2n), { fetch: ["picked"] })).fetched.picked).toEqual(floats(30));
    });

    test("rejects a graph that cannot be run with a FormatError, and goes on", async () => {
      const unknown = encoded({
        nodes: [makeNode("NoSuchOperator", ["x"], ["y"])],
        inputs: [makeValue("x", elementTypes.float32, ["n"])],
        outputs: [makeValue("y", elementTypes.float32, ["n"])],
      });
      for (const graph of [unknown(), { bytes: new Uint8Array(100).fill(7) }]) {
        const failed = engine.load(graph);
        await expect(failed).rejects.toThrow(FormatError);
        await expect(failed).rejects.toThrow(/cannot load the graph/);
      }
      await expect(engine.load(unknown())).rejects.toThrow(/NoSuchOperator/);
      expect((await session.run({ x: floats(1) }, { fetch: ["y"] })).fetched.y).toEqual(floats(2));
    });

    test("refuses to run a graph that was closed, which may be closed again", async () => {
      const other = await engine.load(twoOutputs());
      const running = session.run({ x: floats(1) }, { fetch: ["y"] });
      const closed = session.close();
      await expect(session.run({ x: floats(1) }, { fetch: ["y"] })).rejects.toThrow(/closed/);
      expect((await running).fetched.y).toEqual(floats(2));
      await closed;
      await session.close();
      expect((await other.run({ x: floats(1) }, { fetch: ["y"] })).fetched.y).toEqual(floats(2));
    });

    test("settles what is under way when it is closed, and refuses what is asked for after", async () => {
      const x: HostTensor = { type: "float32", dims: [2 ** 20], data: new Float32Array(2 ** 20) };
      const running = session.run({ x }, { fetch: ["z"] }).then(
        ({ fetched }) => fetched.z.dims,
        (error: Error) => error.message,
      );
      await engine.close();
      expect([[2 ** 20], expect.stringContaining("closed")]).toContainEqual(await running);
      await expect(session.run({ x: floats(1) }, { fetch: ["y"] })).rejects.toThrow(/closed/);
      await expect(engine.load(twoOutputs())).rejects.toThrow(/closed/);
      await engine.close();
    });

    test.each([
      ["float32", Float32Array.of(1.5, -2)],
      ["float64", Float64Array.of(1.1, -2)],
      ["float16", Uint16Array.of(0x3e00, 0xc000)],
      ["int32", Int32Array.of(2 ** 31 - 1, -1)],
      ["int64", BigInt64Array.of(2n ** 62n, -1n)],
      ["uint8", Uint8Array.of(255, 0)],
      ["bool", Uint8Array.of(1, 0)],
    ] as const)("passes %s through, bit for bit", async (type, data) => {
      const same = await engine.load(identity(type)());
      const { fetched, kept } = await same.run(
        { x: { type, dims: [1, 2], data: data.slice() } },
        { fetch: ["y"], keep: ["y"] },
      );
      const expected = { type, dims: [1, 2], data };
      expect(fetched.y).toEqual(expected);
      expect((await same.run({ x: kept.y }, { fetch: ["y"] })).fetched.y).toEqual(expected);
    });
  });
}

function identity(type: TensorType) {
  const value = (name: string) => makeValue(name, elementTypes[type], ["rows", "n"]);
  return encoded({
    nodes: [makeNode("Identity", ["x"], ["y"])],
    inputs: [value("x")],
    outputs: [value("y")],
  });
}

/** A graph in new bytes at each call, for an engine may take them over. */
function encoded(parts: Parameters<typeof makeModel>[0]): () => EncodedGraph {
  return () => ({ bytes: encodeOnnx(makeModel(parts)) });
}

function floats(...values: readonly number[]): HostTensor {
  return { type: "float32", dims: [values.length], data: Float32Array.from(values) };
}
