import { bytesSource, matrix, openSafetensors, type Safetensors } from "@saestitch/core";
import { describe, expect, test } from "vitest";
import { readFixture } from "../../../core/test-support/fixture.ts";
import type { Model } from "../model.ts";
import type { TokenBatch } from "../tokens/token-batch.ts";

/**
 * Every exported model of the fixtures, with the file of what `transformers` computes in float32, and how near one must come to it, relative to
 * values above 1. The weights are far larger than those of trained models, which makes much of the rounding of float16.
 */
export const exportedModels = [
  ["gpt2-optimum", "gpt2", 1e-4],
  ["gpt2-dynamo", "gpt2", 1e-4],
  ["gpt2-fused", "gpt2", 1e-4],
  ["neox-optimum", "neox", 1e-4],
  ["neox-dynamo", "neox", 1e-4],
  ["neox-sequential-optimum", "neox-sequential", 1e-4],
  ["llama-optimum", "llama", 1e-4],
  ["llama-past", "llama", 1e-4],
  ["llama-external", "llama", 1e-4],
  ["llama-dynamo-external", "llama", 1e-4],
  ["llama-fp16", "llama", 0.1],
  ["gemma2-optimum", "gemma2", 1e-4],
  ["gemma2-dynamo", "gemma2", 1e-4],
  ["qwen2-optimum", "qwen2", 1e-4],
  ["qwen3-optimum", "qwen3", 1e-4],
  ["qwen3-genai", "qwen3", 1e-4],
] as const;

/** What every implementation of {@link Model} must do on the exports `names`, which `open` opens by their folder in the fixtures. */
export function testLanguageModels(names: readonly string[], open: (folder: string) => Promise<Model>): void {
  describe.each(exportedModels.filter(([name]) => names.includes(name)))(
    "the model %s",
    (name, family, tolerance) => {
      test("has at every known place what transformers has there", async () => {
        const { model, truth } = await opened(name, family);
        try {
          const batch = await batchOf(truth, "");
          const places = [...truth.tensors.keys()].filter((key) => key.startsWith("blocks."));
          const listed = (await model.listHooks()).map((hook) => hook.name);
          expect(listed).toEqual(expect.arrayContaining(places));
          for (const place of places) {
            const hook = await model.findHook(place);
            const activations = await model.activations(hook, batch);
            expect(activations.columns).toBe(hook.d);
            expectNear(activations.values, await truth.readFloat32(place), tolerance, place);
          }
        } finally {
          await model.close();
        }
      });

      test("reads the tokens of a padded batch as if there were no padding", async () => {
        const { model, truth } = await opened(name, family);
        try {
          const batch = await batchOf(truth, "padded.");
          const hook = await model.findHook("blocks.1.hook_resid_post");
          const expected = await truth.readFloat32("padded.blocks.1.hook_resid_post");
          const { values } = await model.activations(hook, batch);
          for (let i = 0; i < batch.rows; i++) {
            const [start, end] = [i * batch.length * hook.d, (i * batch.length + batch.lengths[i]) * hook.d];
            expectNear(values.subarray(start, end), expected.subarray(start, end), tolerance, `row ${i}`);
          }
        } finally {
          await model.close();
        }
      });

      test.each([
        ["blocks.1.hook_resid_post", 2, "patched.logits"],
        ["blocks.1.hook_mlp_out", 0, "zeroed_mlp.logits"],
      ])("has the losses of transformers with %s multiplied by %d", async (place, factor, patched) => {
        const { model, truth } = await opened(name, family);
        try {
          const batch = await batchOf(truth, "");
          const splice = await model.splice(await model.findHook(place));
          const spliced = await splice.begin(batch);
          const own = await plainLosses(truth, "logits", batch);
          expectNear(
            predictions(spliced.original.crossEntropy, batch),
            own.crossEntropy,
            tolerance,
            "cross-entropy",
          );
          expectNear(own.crossEntropy, await truth.readFloat32("loss"), 1e-5, "the plain loss");
          const { rows, columns, values } = spliced.activations;
          const unchanged = await spliced.run(spliced.activations);
          expectNear(unchanged.crossEntropy, spliced.original.crossEntropy, 1e-6, "put back");
          expect(Math.max(...unchanged.divergence)).toBeLessThan(1e-6);
          const losses = await spliced.run(
            matrix(
              rows,
              columns,
              values.map((value) => factor * value),
            ),
          );
          const changed = await plainLosses(truth, patched, batch, "logits");
          expectNear(predictions(losses.crossEntropy, batch), changed.crossEntropy, tolerance, "replaced");
          expectNear(predictions(losses.divergence, batch), changed.divergence, tolerance, "KL");
          expect(Math.max(...changed.divergence)).toBeGreaterThan(1e-3);
          await spliced.close();
          await splice.close();
        } finally {
          await model.close();
        }
      });
    },
  );

  async function opened(name: string, family: string): Promise<{ model: Model; truth: Safetensors }> {
    const file = `models/${family}.safetensors`;
    const truth = await openSafetensors(bytesSource(file, await readFixture(file)));
    return { model: await open(name), truth };
  }
}

async function batchOf(truth: Safetensors, prefix: string): Promise<TokenBatch> {
  const [rows, length] = truth.info(`${prefix}token_ids`).shape;
  return {
    rows,
    length,
    tokenIds: await truth.readInt32(`${prefix}token_ids`),
    lengths: prefix === "" ? new Int32Array(rows).fill(length) : await truth.readInt32(`${prefix}lengths`),
  };
}

/** The entries that are predictions: all but the last of each row. */
function predictions(losses: Float32Array, { rows, length }: TokenBatch): Float32Array {
  return Float32Array.from({ length: rows * (length - 1) }, (_, i) => {
    const row = Math.floor(i / (length - 1));
    return losses[row * length + (i % (length - 1))];
  });
}

/** Cross-entropy of logits, and their divergence from others, entry by entry in float64. */
async function plainLosses(truth: Safetensors, logits: string, batch: TokenBatch, unchanged = logits) {
  const width = truth.info(logits).shape[2];
  const [values, reference] = [await truth.readFloat32(logits), await truth.readFloat32(unchanged)];
  const crossEntropy = new Float32Array(batch.rows * batch.length);
  const divergence = new Float32Array(batch.rows * batch.length);
  for (let i = 0; i < crossEntropy.length; i++) {
    const q = logProbabilities(values.subarray(i * width, (i + 1) * width));
    const p = logProbabilities(reference.subarray(i * width, (i + 1) * width));
    crossEntropy[i] = -q[batch.tokenIds[i + 1] ?? 0];
    divergence[i] = p.reduce((sum, logP, v) => sum + Math.exp(logP) * (logP - q[v]), 0);
  }
  return { crossEntropy: predictions(crossEntropy, batch), divergence: predictions(divergence, batch) };
}

function logProbabilities(logits: Float32Array): number[] {
  const largest = Math.max(...logits);
  const normalizer = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0)) + largest;
  return Array.from(logits, (logit) => logit - normalizer);
}

function expectNear(actual: Float32Array, expected: Float32Array, tolerance: number, what: string): void {
  expect(actual.length, what).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]) / Math.max(1, Math.abs(expected[i]));
    if (!(difference <= worst)) worst = difference;
  }
  expect(worst, what).toBeLessThanOrEqual(tolerance);
}
