import { bytesSource, type Matrix, matrix, openSafetensors, type Safetensors } from "@saestitch/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readFixture } from "../../../core/test-support/fixture.ts";
import { fixtureModel } from "../../test-support/changed-model.ts";
import { centringAt } from "../hooks/centring.ts";
import type { Model } from "../model.ts";
import { processActivations, unprocessActivations } from "../processing.ts";
import type { TokenBatch } from "../tokens/token-batch.ts";
import { openModel } from "./open-model.ts";

const places = ["hook_resid_pre", "hook_attn_out", "hook_resid_mid", "hook_mlp_out", "hook_resid_post"];
const names = [0, 1, 2].flatMap((block) => places.map((place) => `blocks.${block}.${place}`));

let truth: Safetensors;
let batch: TokenBatch;
beforeAll(async () => {
  const file = "models/gpt2-centred.safetensors";
  truth = await openSafetensors(bytesSource(file, await readFixture(file)));
  const [rows, length] = truth.info("token_ids").shape;
  const lengths = new Int32Array(rows).fill(length);
  batch = { rows, length, tokenIds: await truth.readInt32("token_ids"), lengths };
});

function copy({ rows, columns, values }: Matrix): Matrix {
  return matrix(rows, columns, values.slice());
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

/** KL by prediction when the mean is taken off at `name`, and when it is put back to what was centred. */
async function divergences(model: Model, name: string) {
  const splice = await model.splice(await model.findHook(name));
  const spliced = await splice.begin(batch);
  const own = spliced.activations;
  const centred = processActivations(copy(own), { centred: true });
  expect(largestDifference(centred.values, own.values)).toBeGreaterThan(0.01);
  const { divergence, crossEntropy } = await spliced.run(centred);
  const putBack = await spliced.run(unprocessActivations(copy(centred), own, { centred: true }));
  await spliced.close();
  await splice.close();
  const isPrediction = (_: number, i: number) => (i + 1) % batch.length !== 0;
  const largest = (values: Float32Array) => Math.max(...values.filter(isPrediction));
  const ofLoss = largestDifference(
    crossEntropy.filter(isPrediction),
    spliced.original.crossEntropy.filter(isPrediction),
  );
  return { centred: largest(divergence), putBack: largest(putBack.divergence), ofLoss };
}

describe("the mean of a GPT-2's activations", () => {
  let model: Model;
  beforeAll(async () => {
    ({ model } = await openModel(fixtureModel("gpt2-optimum"), { threads: 1 }));
  });
  afterAll(() => model.close());

  test.each(names)("is all that center_writing_weights of TransformerLens takes off %s", async (name) => {
    expect(centringAt(name, model.normalization).applies).toBe(true);
    const raw = await model.activations(await model.findHook(name), batch);
    const expected = await truth.readFloat32(name);
    expect(largestDifference(raw.values, expected)).toBeGreaterThan(0.01);
    const centred = processActivations(raw, { centred: true });
    expect(largestDifference(centred.values, expected)).toBeLessThan(1e-4);
  });

  test.each(names)("at %s does not reach the logits", async (name) => {
    const { centred, putBack, ofLoss } = await divergences(model, name);
    expect(centred).toBeLessThan(1e-6);
    expect(putBack).toBeLessThan(1e-6);
    expect(ofLoss).toBeLessThan(1e-4);
  });

  test("is left where TransformerLens leaves it, in what attention mixes", async () => {
    expect(centringAt("blocks.1.attn.hook_z", model.normalization).applies).toBe(false);
    expect((await divergences(model, "blocks.1.attn.hook_z")).centred).toBeGreaterThan(1e-4);
  });
});

test.each(["llama-optimum", "qwen2-optimum", "gemma2-optimum"])(
  "the mean of the activations of %s, which normalises by the root mean square, reaches the logits",
  async (name) => {
    const { model } = await openModel(fixtureModel(name), { threads: 1 });
    try {
      batch = { ...batch, tokenIds: batch.tokenIds.map((token) => token % (model.vocabulary ?? 1)) };
      for (const place of ["hook_resid_pre", "hook_attn_out", "hook_resid_mid", "hook_resid_post"]) {
        const hook = `blocks.1.${place}`;
        expect(centringAt(hook, model.normalization).applies).toBe(false);
        const { centred, putBack } = await divergences(model, hook);
        expect([hook, centred > 1e-4, putBack < 1e-6]).toEqual([hook, true, true]);
      }
    } finally {
      await model.close();
    }
  },
);
