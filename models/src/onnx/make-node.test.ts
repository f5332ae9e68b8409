import { bytesSource, FormatError } from "@saestitch/core";
import { expect, test } from "vitest";
import { readFixture } from "../../../core/test-support/fixture.ts";
import { constantValue } from "./constant-value.ts";
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

test("constantValue() reads small initializers, also through Identity", () => {
  const passed = { ...model, nodes: [...model.nodes, makeNode("Identity", ["f"], ["g"])] };
  expect(constantValue(passed, "g")).toEqual([0.5, -1]);
  expect(constantValue(model, "i")).toEqual([-(2 ** 40)]);
  for (const name of ["x", "y", "absent"]) expect(constantValue(model, name)).toBeUndefined();
});

test("constantValue() reads every way a Constant node holds numbers", () => {
  const constants = makeModel({
    nodes: [
      makeNode("Constant", [], ["a"], { attributes: { value_int: 3 } }),
      makeNode("Constant", [], ["b"], { attributes: { value_ints: { ints: [1, -1] } } }),
      makeNode("Constant", [], ["c"], { attributes: { value_float: { float: 0.25 } } }),
    ],
    inputs: [],
    outputs: [],
  });
  expect(["a", "b", "c"].map((name) => constantValue(constants, name))).toEqual([[3], [1, -1], [0.25]]);
});

test("constantValue() reads what onnx writes, as raw bytes and as lists", async () => {
  const types = await readOnnx(bytesSource("every-type.onnx", await readFixture("onnx/every-type.onnx")));
  for (const type of ["FLOAT", "DOUBLE", "INT32", "INT64", "BOOL"]) {
    expect(constantValue(types, `list ${type}`)).toEqual([1, 0, 1]);
    expect(constantValue(types, `raw ${type}`)).toEqual([1, 1, 1, 1, 1, 1]);
  }
  expect(constantValue(types, "scalar")).toEqual([2.5]);
  expect(constantValue(types, "none")).toEqual([]);
  for (const name of ["list STRING", "raw BFLOAT16", "list UINT4"])
    expect(constantValue(types, name)).toBeUndefined();
  const constants = await readOnnx(bytesSource("constants.onnx", await readFixture("onnx/constants.onnx")));
  expect(constantValue(constants, "tensor")).toEqual([1.5, 2]);
  expect(constantValue(constants, "floats")).toEqual([0.5, -0.5]);
  expect(constantValue(constants, "text")).toBeUndefined();
});
