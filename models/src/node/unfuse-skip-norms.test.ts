import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { encodeOnnx } from "../onnx/encode-onnx.ts";
import { makeModel } from "../onnx/make-model.ts";
import { makeNode, type NodeOptions } from "../onnx/make-node.ts";
import { makeFloatTensor } from "../onnx/make-tensor.ts";
import { makeValue } from "../onnx/make-value.ts";
import type { OnnxModel } from "../onnx/onnx-model.ts";
import { unfuseSkipNorms } from "../onnx/unfuse-skip-norms.ts";

const d = 4;
const numbers = (seed: number, count = d) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(seed + 7 * i));

function fusedModel(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: NodeOptions["attributes"] = {},
): OnnxModel {
  return makeModel({
    nodes: [makeNode(opType, inputs, outputs, { domain: "com.microsoft", attributes })],
    initializers: ["gamma", "beta", "bias"].map((name, i) => makeFloatTensor(name, [d], numbers(i + 1))),
    inputs: [makeValue("input", 1, ["b", "s", d]), makeValue("skip", 1, ["b", "s", d])],
    outputs: outputs.filter((name) => name !== "").map((name) => makeValue(name, 1, ["b", "s", d])),
  });
}

async function run(model: OnnxModel): Promise<Record<string, number[]>> {
  const session = await InferenceSession.create(encodeOnnx(model), {
    graphOptimizationLevel: "disabled",
    logSeverityLevel: 3,
  });
  const feed = (seed: number) => new Tensor("float32", numbers(seed, 6 * d), [2, 3, d]);
  const fetched = await session.run({ input: feed(0.1), skip: feed(0.2) });
  await session.release();
  return Object.fromEntries(
    Object.entries(fetched).map(([name, value]) => [
      name,
      Array.from((value as Tensor).data as Float32Array),
    ]),
  );
}

test.each([
  ["SkipLayerNormalization", ["input", "skip", "gamma", "beta", "bias"], ["y", "", "", "sum"]],
  ["SkipLayerNormalization", ["input", "skip", "gamma", "beta"], ["y", "", "", "sum"]],
  ["SkipLayerNormalization", ["input", "skip", "gamma", "", "bias"], ["y", "", "", "sum"]],
  ["SkipLayerNormalization", ["input", "skip", "gamma"], ["y"]],
  ["SkipSimplifiedLayerNormalization", ["input", "skip", "gamma", "bias"], ["y", "", "", "sum"]],
  ["SkipSimplifiedLayerNormalization", ["input", "skip", "gamma"], ["y"]],
])("unfuseSkipNorms() leaves %s of %j to %j as it computes", async (opType, inputs, outputs) => {
  for (const attributes of [{ epsilon: { float: 0.01 } }, {}]) {
    const fused = fusedModel(opType, inputs, outputs, attributes);
    const apart = unfuseSkipNorms(fused);
    expect(apart.nodes.map((node) => node.opType)).toEqual([
      ...inputs.filter((name) => name === "skip" || name === "bias").map(() => "Add"),
      opType.replace("Skip", ""),
    ]);
    const [expected, found] = [await run(fused), await run(apart)];
    expect(Object.keys(found)).toEqual(Object.keys(expected));
    for (const [name, values] of Object.entries(expected)) {
      for (const [i, value] of values.entries()) expect(found[name][i]).toBeCloseTo(value, 5);
    }
  }
});

test("unfuseSkipNorms() gives the sum a name that nothing has", () => {
  const fused = fusedModel("SkipLayerNormalization", ["input", "skip", "gamma", "beta"], ["y"]);
  const taken = { ...fused, inputs: [...fused.inputs, makeValue("y_sum", 1)] };
  expect(unfuseSkipNorms(taken).nodes[0].outputs).toEqual(["y_sum_2"]);
});

test("unfuseSkipNorms() leaves other nodes as they are", () => {
  const plain = makeModel({
    nodes: [makeNode("LayerNormalization", ["x", "gamma"], ["y"])],
    inputs: [makeValue("x", 1)],
    outputs: [makeValue("y")],
  });
  expect(unfuseSkipNorms(plain)).toBe(plain);
});
