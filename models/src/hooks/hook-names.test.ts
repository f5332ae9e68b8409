import { UnsupportedError } from "@saestitch/core";
import { expect, test } from "vitest";
import { makeModel } from "../onnx/make-model.ts";
import { makeNode } from "../onnx/make-node.ts";
import { makeFloatTensor } from "../onnx/make-tensor.ts";
import { makeValue } from "../onnx/make-value.ts";
import { resolveHook } from "./hook-names.ts";
import type { Transformer } from "./transformer.ts";

const lensNames = [
  "hook_resid_pre",
  "attn.hook_z",
  "hook_attn_out",
  "hook_resid_mid",
  "hook_mlp_out",
  "hook_resid_post",
];

/** A transformer of twelve blocks, each value called by its block and place. */
const transformer: Transformer = {
  blocks: 12,
  normalization: "layer",
  places: new Map(
    Array.from({ length: 12 }, (_, block) =>
      lensNames.map((name) => [`blocks.${block}.${name}`, `${block} ${name}`] as const),
    ).flat(),
  ),
  further: new Map([["hook_embed", "embedding"]]),
  embedding: "embedding",
  notes: [],
};

/** The same with norms of what is added, and with a factor after the embedding. */
const normalizing: Transformer = {
  ...transformer,
  further: new Map([
    ["hook_embed", "scaled"],
    ["embed.hook_out", "embedding"],
    ["blocks.8.attn.hook_out", "8 attention"],
    ["blocks.8.mlp.hook_out", "8 mlp"],
  ]),
};

const model = makeModel({
  location: "model.onnx",
  nodes: [makeNode("MatMul", ["hidden", "table"], ["/lm_head/MatMul_output_0"])],
  initializers: [makeFloatTensor("table", [1], [1])],
  inputs: [makeValue("hidden")],
  outputs: [],
});

const names: readonly (readonly [string, string])[] = [
  ["blocks.8.hook_resid_pre", "8 hook_resid_pre"],
  ["blocks.11.attn.hook_z", "11 attn.hook_z"],
  ["blocks.8.hook_in", "8 hook_resid_pre"],
  ["blocks.8.hook_out", "8 hook_resid_post"],
  ["blocks.8.attn.hook_out", "8 hook_attn_out"],
  ["blocks.8.mlp.hook_out", "8 hook_mlp_out"],
  ["hook_embed", "embedding"],
  ["model.layers.8.output", "8 hook_resid_post"],
  ["model.layers.8", "8 hook_resid_post"],
  ["model.layers.8.input", "8 hook_resid_pre"],
  ["transformer.h.8", "8 hook_resid_post"],
  ["gpt_neox.layers.3", "3 hook_resid_post"],
  ["model.language_model.layers.3", "3 hook_resid_post"],
  ["layers.10", "10 hook_resid_post"],
  ["layers.10.mlp", "10 hook_mlp_out"],
  ["h.0.attn", "0 hook_attn_out"],
  ["gpt_neox.layers.3.attention", "3 hook_attn_out"],
  ["model.layers.8.self_attn.o_proj.input", "8 attn.hook_z"],
  ["transformer.h.8.attn.c_proj", "8 hook_attn_out"],
  ["gpt_neox.layers.3.mlp.dense_4h_to_h.output", "3 hook_mlp_out"],
  ["embed_tokens", "embedding"],
  ["transformer.wte", "embedding"],
  ["resid_post_layer_8", "8 hook_resid_post"],
  ["attn_out_layer_8", "8 hook_attn_out"],
  ["attention_out_layer8", "8 hook_attn_out"],
  ["mlp_out_layer_8", "8 hook_mlp_out"],
  ["/lm_head/MatMul_output_0", "/lm_head/MatMul_output_0"],
];

test.each(names)("resolveHook() knows %s", (name, value) => {
  expect(resolveHook(name, transformer, model)).toBe(value);
});

test.each([
  ["blocks.8.hook_mlp_out", "8 hook_mlp_out"],
  ["blocks.8.mlp.hook_out", "8 mlp"],
  ["layers.8.mlp", "8 mlp"],
  ["mlp_out_layer_8", "8 mlp"],
  ["model.layers.8.self_attn", "8 attention"],
  ["model.layers.8.post_attention_layernorm.output", "8 hook_attn_out"],
  ["model.layers.8.post_feedforward_layernorm", "8 hook_mlp_out"],
  ["embed_tokens", "embedding"],
  ["hook_embed", "scaled"],
])("resolveHook() takes %s of a model that normalises what is added for what it says", (name, value) => {
  expect(resolveHook(name, normalizing, model)).toBe(value);
});

test.each([
  [
    "blocks.12.hook_resid_pre",
    'Cannot read "blocks.12.hook_resid_pre" of model.onnx: it has 12 blocks, 0 to 11',
  ],
  ["model.layers.31", "it has 12 blocks, 0 to 11"],
  ["resid_post_layer_12", "it has 12 blocks, 0 to 11"],
  ["blocks.8.hook_resid_pst", "of block 8 it has hook_resid_pre, attn.hook_z, hook_attn_out"],
  [
    "block.8.hook_resid_pre",
    'model.onnx has no hook "block.8.hook_resid_pre"; the nearest are blocks.8.hook_resid_pre, ',
  ],
  ["lm_head/MatMul_output", "the nearest are /lm_head/MatMul_output_0"],
  ["layers.8.post_attention_layernorm", 'has no hook "layers.8.post_attention_layernorm"'],
  ["layers.-1", 'has no hook "layers.-1"; expected a name such as blocks.0.hook_resid_pre'],
  ["", "has no hook"],
  ["table", "it is a constant of the model"],
  ["hidden", "it is an input of the model"],
])("resolveHook() refuses %s", (name, message) => {
  const resolve = () => resolveHook(name, transformer, model);
  expect(resolve).toThrow(UnsupportedError);
  expect(resolve).toThrow(message);
});

test("resolveHook() knows only the graph's own names where no transformer was found", () => {
  expect(resolveHook("/lm_head/MatMul_output_0", undefined, model)).toBe("/lm_head/MatMul_output_0");
  expect(() => resolveHook("blocks.0.hook_resid_pre", undefined, model)).toThrow(
    "no blocks were found in its graph",
  );
  expect(() => resolveHook("quux", undefined, model)).toThrow("expected the name of a value of its graph");
});
