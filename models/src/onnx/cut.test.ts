import { bytesSource, UnsupportedError } from "@saestitch/core";
import { expect, test } from "vitest";
import { readFixture } from "../../../core/test-support/fixture.ts";
import { bypasses } from "./bypass.ts";
import { headOf } from "./head-of.ts";
import { makeModel } from "./make-model.ts";
import { makeNode } from "./make-node.ts";
import { makeFloatTensor } from "./make-tensor.ts";
import { makeValue } from "./make-value.ts";
import { readOnnx } from "./read-onnx.ts";
import { planTail, tailModel } from "./tail-of.ts";

/** Two blocks on a residual stream, a mask both use, and a scale that is computed from a constant. */
const model = makeModel({
  location: "two-blocks.onnx",
  nodes: [
    makeNode("Gather", ["table", "ids"], ["resid0"]),
    makeNode("Shape", ["resid0"], ["size"]),
    makeNode("Expand", ["one", "size"], ["mask"]),
    makeNode("Neg", ["one"], ["scale"]),
    makeNode("Mul", ["resid0", "mask"], ["branch0"]),
    makeNode("Add", ["resid0", "branch0"], ["resid1"]),
    makeNode("Mul", ["resid1", "mask"], ["masked1"]),
    makeNode("Mul", ["masked1", "scale"], ["branch1"]),
    makeNode("Add", ["resid1", "branch1"], ["resid2"]),
    makeNode("MatMul", ["resid2", "head"], ["logits"]),
  ],
  initializers: ["table", "one", "head"].map((name) => makeFloatTensor(name, [1], [1])),
  inputs: [makeValue("ids", 7, ["batch"])],
  outputs: [makeValue("logits", 1, ["batch", 4])],
});

test("planTail() lets cross what depends on the inputs and not on the cut", () => {
  expect(planTail(model, "resid1", ["logits"])).toEqual({
    cut: "resid1",
    outputs: ["logits"],
    nodes: new Set([6, 7, 8, 9, 3]),
    crossing: ["mask"],
    inputs: [],
  });
  expect(planTail(model, "branch0", ["logits"]).crossing).toEqual(["resid0", "mask"]);
});

test("tailModel() describes its inputs by the types given, and keeps what the file says of the outputs", () => {
  const plan = planTail(model, "resid1", ["logits"]);
  const tail = tailModel(
    model,
    plan,
    new Map([
      ["resid1", 10],
      ["mask", 9],
    ]),
  );
  expect(tail.inputs).toEqual([makeValue("resid1", 10), makeValue("mask", 9)]);
  expect(tail.outputs).toEqual(model.outputs);
  expect([...tail.initializers.keys()].toSorted()).toEqual(["head", "one"]);
  expect(() => tailModel(model, plan, new Map([["mask", 9]]))).toThrow(
    'Cannot cut two-blocks.onnx at "resid1": its element type is not known',
  );
  const value = makeValue("resid1", 1, ["batch", 4]);
  const known = { ...model, values: new Map([["resid1", value]]) };
  expect(tailModel(known, plan, new Map([["mask", 9]])).inputs[0]).toEqual(value);
});

test("bypasses() names the value and the node that reads it behind the cut, shapes aside", () => {
  expect(bypasses(model, "resid1", "resid0", ["logits"])).toEqual([]);
  expect(bypasses(model, "branch0", "resid0", ["logits"])).toEqual([
    { value: "resid0", node: model.nodes[5] },
  ]);
});

test.each([
  ["table", "it is a constant of the model"],
  ["ids", "it is an input of the model"],
  ["nothing", "no node of the model makes it"],
])("headOf() and planTail() refuse %s", (value, reason) => {
  expect(() => headOf(model, [value])).toThrow(UnsupportedError);
  expect(() => headOf(model, [value])).toThrow(`Cannot read "${value}" of two-blocks.onnx: ${reason}`);
  expect(() => planTail(model, value, ["logits"])).toThrow(
    `Cannot replace "${value}" of two-blocks.onnx: ${reason}`,
  );
});

test("headOf() names the node whose own graph a value lies in", async () => {
  const within = await readOnnx(bytesSource("subgraphs.onnx", await readFixture("onnx/subgraphs.onnx")));
  expect(() => headOf(within, ["deep"])).toThrow(
    'Cannot read "deep" of subgraphs.onnx: it lies inside the If node "if"; use an export without it, such as decoder_model.onnx',
  );
  expect(headOf(within, ["y"]).nodes.length).toBe(2);
  expect([...headOf(within, ["y"]).initializers.keys()]).toEqual(["weight"]);
});

test("planTail() refuses a cut that the output does not depend on but by its shape", () => {
  expect(() => planTail(model, "resid2", ["resid1"])).toThrow(
    'Cannot replace "resid2" of two-blocks.onnx: nothing that "resid1" is computed from depends on it',
  );
  expect(() => planTail(model, "resid0", ["mask"])).toThrow(UnsupportedError);
  expect(() => planTail(model, "logits", ["logits"])).toThrow(UnsupportedError);
});
