import { bytesSource, FormatError } from "@saestitch/core";
import { expect, test } from "vitest";
import { encodeOnnx } from "./encode-onnx.ts";
import { makeModel } from "./make-model.ts";
import { makeNode } from "./make-node.ts";
import { makeFloatTensor, makeInt64Tensor } from "./make-tensor.ts";
import { makeValue } from "./make-value.ts";
import { readOnnx } from "./read-onnx.ts";

const model = makeModel({
  location: "made.onnx",
  nodes: [
    makeNode("Cast", ["x", ""], ["y"], { name: "cast", attributes: { to: 7 } }),
    makeNode("Ours", ["y"], ["z", "", "w"], {
      domain: "ours.test",
      attributes: { many: { ints: [0, -1, 2 ** 40] }, small: { float: 0.1 }, word: { text: "é" }, below: -5 },
    }),
  ],
  initializers: [makeFloatTensor("f", [2, 1], [0.5, -1]), makeInt64Tensor("i", [], [-(2 ** 40)])],
  inputs: [makeValue("x", 1, ["batch", "", 8])],
  outputs: [makeValue("z"), makeValue("w", 1), makeValue("y", 7, [])],
});

test("what makeNode(), makeValue() and makeTensor() make is read back from a file as an equal value", async () => {
  expect(await readOnnx(bytesSource(model.location, encodeOnnx(model)))).toEqual(model);
});

test("makeNode() keeps names and attributes", () => {
  expect(model.nodes[1]).toMatchObject({
    name: "z",
    domain: "ours.test",
    inputs: ["y"],
    outputs: ["z", "", "w"],
    attributes: new Map<string, unknown>([
      ["many", { ints: [0, -1, 2 ** 40] }],
      ["small", { float: Math.fround(0.1) }],
      ["word", { text: "é" }],
      ["below", { int: -5 }],
    ]),
  });
  expect(model.inputs[0]).toMatchObject({ name: "x", elementType: 1, shape: ["batch", "", 8] });
  expect(model.outputs[0]).not.toHaveProperty("elementType");
});

test("makeFloatTensor() refuses values that do not fill the shape", () => {
  expect(() => makeFloatTensor("w", [3], [1, 2])).toThrow(FormatError);
});
