import { fileURLToPath } from "node:url";
import { openSafetensors, type Safetensors } from "@saestitch/core";
import { openFile } from "@saestitch/core/node";
import { describe, expect, test } from "vitest";
import { findTransformer } from "../hooks/find-transformer.ts";
import { resolveHook } from "../hooks/hook-names.ts";
import type { Transformer } from "../hooks/transformer.ts";
import { languageFeeds } from "../language-model/language-feeds.ts";
import { exportedModels } from "../language-model/language-model.conformance.ts";
import { tokenMatrix } from "../language-model/token-matrix.ts";
import { encodeOnnx } from "../onnx/encode-onnx.ts";
import { headOf } from "../onnx/head-of.ts";
import type { OnnxModel } from "../onnx/onnx-model.ts";
import { readOnnx } from "../onnx/read-onnx.ts";
import { unfuseSkipNorms } from "../onnx/unfuse-skip-norms.ts";
import type { TokenBatch } from "../tokens/token-batch.ts";
import { openLocalEngine } from "./local-engine.ts";

const fixtures = fileURLToPath(new URL("../../../fixtures/models/", import.meta.url));

describe.each(exportedModels)("findTransformer() on %s", (folder, family, tolerance) => {
  test("names what transformers computes there, and nothing else", async () => {
    const { model, transformer } = await openGraph(folder);
    await using(`${family}.safetensors`, async (truth) => {
      const expected = [...truth.tensors.keys()].filter((name) => name.startsWith("blocks."));
      expect([...transformer.places.keys()].sort()).toEqual(expected.sort());
      expect(transformer.notes).toEqual([]);
      expect(transformer.blocks).toBe(3);

      const [rows, length] = truth.info("token_ids").shape;
      const tokenIds = await truth.readInt32("token_ids");
      const batch = { rows, length, tokenIds, lengths: new Int32Array(rows).fill(length) };
      const values = await valuesOf(model, folder, [...new Set(transformer.places.values())], batch);
      for (const [name, value] of transformer.places) {
        expectNear(values.get(value)!, await truth.readFloat32(name), tolerance, name);
      }
    });
  });

  test("knows whether the norms subtract the mean", async () => {
    const { transformer } = await openGraph(folder);
    expect(transformer.normalization).toBe(/^(?:gpt2|neox)/.test(family) ? "layer" : "rms");
  });
});

test("resolveHook() tells what Gemma 2's MLP returns from what is added to the residual stream", async () => {
  const { model, transformer } = await openGraph("gemma2-optimum");
  const added = resolveHook("blocks.1.hook_mlp_out", transformer, model);
  expect(resolveHook("model.layers.1.mlp", transformer, model)).toMatch(/\/mlp\//);
  expect(resolveHook("model.layers.1.self_attn", transformer, model)).toMatch(/\/self_attn\/o_proj\//);
  expect(resolveHook("model.layers.1.post_feedforward_layernorm.output", transformer, model)).toBe(added);
  expect(resolveHook("embed_tokens", transformer, model)).toMatch(/\/embed_tokens\//);
  expect(resolveHook("hook_embed", transformer, model)).toBe(
    resolveHook("blocks.0.hook_resid_pre", transformer, model),
  );
});

async function openGraph(folder: string): Promise<{ model: OnnxModel; transformer: Transformer }> {
  const source = await openFile(`${fixtures}${folder}/model.onnx`);
  try {
    const model = unfuseSkipNorms(await readOnnx(source));
    return { model, transformer: findTransformer(model)! };
  } finally {
    await source.close();
  }
}

async function using(name: string, read: (truth: Safetensors) => Promise<void>): Promise<void> {
  const source = await openFile(`${fixtures}${name}`);
  try {
    await read(await openSafetensors(source));
  } finally {
    await source.close();
  }
}

/** What ONNX Runtime computes for several values of a graph. */
async function valuesOf(
  model: OnnxModel,
  folder: string,
  names: readonly string[],
  batch: TokenBatch,
): Promise<Map<string, Float32Array>> {
  const engine = await openLocalEngine({ threads: 1 });
  try {
    const bytes = encodeOnnx(headOf(model, names));
    const session = await engine.load({ bytes, folder: `${fixtures}${folder}` });
    const { fetched } = await session.run(languageFeeds(session.inputs, batch), { fetch: names });
    return new Map(names.map((name) => [name, tokenMatrix(fetched[name], batch).values]));
  } finally {
    await engine.close();
  }
}

/** The largest difference, relative to the largest value where that is more than 1. */
function expectNear(actual: Float32Array, expected: Float32Array, tolerance: number, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  let worst = 0;
  let largest = 1;
  for (let i = 0; i < actual.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    // NaN is no error of at most anything.
    if (!(error <= worst)) worst = error;
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  expect(worst / largest, what).toBeLessThanOrEqual(tolerance);
}
