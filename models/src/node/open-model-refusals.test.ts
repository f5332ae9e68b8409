import { readFileSync } from "node:fs";
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataError, FormatError, UnsupportedError, zeros } from "@saestitch/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixtureModel, insertAfter, writeChangedModel } from "../../test-support/changed-model.ts";
import type { Model } from "../model.ts";
import { makeNode } from "../onnx/make-node.ts";
import { makeInt64Tensor } from "../onnx/make-tensor.ts";
import { makeValue } from "../onnx/make-value.ts";
import { elementTypes, type OnnxModel } from "../onnx/onnx-model.ts";
import type { TokenBatch } from "../tokens/token-batch.ts";
import { openModel } from "./open-model.ts";

let folder: string;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "saestitch-refusals-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function refusal(address: string): Promise<Error> {
  const opened = await openModel(address, { threads: 1 }).catch((error: Error) => error);
  if (opened instanceof Error) return opened;
  await opened.model.close();
  throw new Error(`${address} was opened`);
}

const lfsPointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 1234567\n`;

describe("openModel() refuses, and says why,", () => {
  test.each([
    [
      "truncated",
      (whole: Buffer) => whole.subarray(0, 5000),
      /ends within field 7.*is the download complete/,
    ],
    ["empty", () => "", /is empty, expected an ONNX model/],
    ["text", () => "Once upon a time\n".repeat(50), /looks like plain text/],
    ["pointer", () => lfsPointer, /looks like a Git LFS pointer.*git lfs pull/],
    ["page", () => "<!DOCTYPE html><html>", /looks like a web page/],
    ["noise", () => Uint8Array.from({ length: 999 }, (_, i) => (i * i * 31) >> 3), /damaged|not an ONNX/],
  ] as const)("a file that is %s", async (name, content, reason) => {
    const path = at(`${name}.onnx`);
    await writeFile(path, content(await readFile(join(fixtureModel("gpt2-optimum"), "model.onnx"))));
    const error = await refusal(path);
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(reason);
    expect(error.message).toContain(path);
  });

  test("weights without a graph", async () => {
    const path = at("weights.onnx");
    await copyFile(fixtureModel("gpt2.safetensors"), path);
    expect((await refusal(path)).message).toMatch(/looks like a safetensors file: weights without a graph/);
  });

  test("a graph whose weights are missing, too short, or not downloaded", async () => {
    const external = at("external");
    await cp(fixtureModel("llama-external"), external, { recursive: true });
    const data = join(external, "model.onnx_data");
    await truncate(data, 100_000);
    expect((await refusal(external)).message).toMatch(
      /reach to byte 174080 of model\.onnx_data, which has 100000; is it whole/,
    );
    await writeFile(data, lfsPointer);
    expect((await refusal(external)).message).toMatch(/of model\.onnx_data.*looks like a Git LFS pointer/);
    await rm(data);
    expect((await refusal(external)).message).toMatch(
      /in model\.onnx_data, which is not beside it; copy both/,
    );
  });

  test("folders without one graph to open", async () => {
    const whole = join(fixtureModel("gpt2-optimum"), "model.onnx");
    await mkdir(at("pytorch"));
    for (const name of ["config.json", "model.safetensors", "pytorch_model.bin"])
      await writeFile(at(`pytorch/${name}`), "{}");
    expect((await refusal(at("pytorch"))).message).toMatch(
      /has an \.onnx file; found config\.json, model\.safetensors.*exported with: optimum-cli export onnx/,
    );
    await mkdir(at("several"));
    for (const name of ["a.onnx", "b.onnx"]) await copyFile(whole, at(`several/${name}`));
    expect((await refusal(at("several"))).message).toMatch(/it has a\.onnx, b\.onnx; name one of them/);
    expect((await refusal(at("several/c.onnx"))).message).toMatch(
      /has no file c\.onnx; found a\.onnx, b\.onnx/,
    );
    expect((await refusal(at("nowhere"))).message).toMatch(/there is no such (file or )?folder/);
    expect((await refusal(at("pytorch/model.safetensors"))).message).toMatch(/expected an \.onnx file/);
  });
});

const block = (index: number) => `/transformer/h.${index}`;
const after0 = `${block(0)}/Add_1_output_0`;
const embedding = "/transformer/Add_output_0";

/** With a changed GPT-2 of the fixtures. */
async function withModel(
  name: string,
  change: (model: OnnxModel) => OnnxModel,
  use: (model: Model) => Promise<void>,
): Promise<void> {
  const { model } = await openModel(await writeChangedModel(at(name), "gpt2-optimum", change), {
    threads: 1,
  });
  try {
    await use(model);
  } finally {
    await model.close();
  }
}

describe("a model refuses", () => {
  test.each([
    ["blocks.1.hook_resid_prost", /of block 1 it has hook_resid_pre, .*hook_resid_post/],
    ["block.1.hook_resid_post", /has no hook.*the nearest are .*blocks\.1\.hook_resid_post/],
    ["blocks.7.hook_resid_pre", /it has 3 blocks, 0 to 2/],
    ["transformer.h.9.mlp", /it has 3 blocks, 0 to 2/],
    [`${block(1)}/Add_1_outptu_0`, new RegExp(`the nearest are .*${block(1)}/Add_1_output_0`)],
    ["input_ids", /it is an input of the model/],
    ["transformer.wte.weight", /it is a constant of the model/],
    [
      "/transformer/Gather_output_0",
      /its shape \[\], int64, is not that of a vector of floats for each token/,
    ],
    [`${block(0)}/attn/Softmax_output_0`, /its shape \[batch, .*sequence, sequence\], float32, is not/],
  ])("the hook %s", async (hook, reason) => {
    const { model } = await openModel(fixtureModel("gpt2-optimum"), { threads: 1 });
    try {
      const found = model.findHook(hook);
      await expect(found).rejects.toThrow(UnsupportedError);
      await expect(found).rejects.toThrow(reason);
      // And can be asked again.
      expect((await model.findHook("blocks.1.hook_resid_post")).d).toBe(32);
    } finally {
      await model.close();
    }
  });

  test("to replace a stream that a value reaches the logits around, and names the edge", async () => {
    const again = (value: string, source: string) => (model: OnnxModel) =>
      insertAfter(model, value, [makeNode("Add", [value, source], ["again"], { name: "/again" })], "again");
    const cases = [
      // The embedding is added again at the end.
      [`${block(2)}/Add_1_output_0`, embedding],
      // The values of the first attention are added to those of the last.
      [`${block(2)}/attn/Split_output_2`, `${block(0)}/attn/Split_output_2`],
      // The last MLP reads what the first one read, too.
      [`${block(2)}/ln_2/LayerNormalization_output_0`, `${block(0)}/ln_2/LayerNormalization_output_0`],
    ] as const;
    for (const [i, [value, source]] of cases.entries())
      await withModel(`bypass-${i}`, again(value, source), async (model) => {
        const stream = await model.findHook("blocks.1.hook_resid_post");
        const splice = model.splice(stream);
        await expect(splice).rejects.toThrow(UnsupportedError);
        await expect(splice).rejects.toThrow(
          `the value ${source} reaches the logits around it, by the Add node "/again"`,
        );
        // What a block adds does not claim to be all that there is.
        await (await model.splice(await model.findHook("blocks.1.hook_mlp_out"))).close();
        // Its activations can be read.
        expect((await model.activations(stream, batchOf(1, 3))).rows).toBe(3);
      });
  });

  test("to measure losses without logits, and reads on", async () => {
    const hidden = makeValue("/transformer/Reshape_5_output_0", elementTypes.float32, ["b", "s", 32]);
    await withModel(
      "features",
      (model) => ({ ...model, outputs: [hidden] }),
      async (model) => {
        expect(model.vocabulary).toBeUndefined();
        const hook = await model.findHook("blocks.1.hook_resid_post");
        const splice = model.splice(hook);
        await expect(splice).rejects.toThrow(UnsupportedError);
        await expect(splice).rejects.toThrow(
          /no output "logits", only \/transformer\/Reshape_5_output_0; export it for text generation/,
        );
        expect((await model.activations(hook, batchOf(2, 3))).columns).toBe(32);
      },
    );
  });

  test("inputs that are not of a language model, where what is read needs them", async () => {
    const speaking = (model: OnnxModel) => {
      const spoken = insertAfter(
        model,
        after0,
        [
          makeNode("Cast", ["speaker_ids"], ["floats"], { attributes: { to: elementTypes.float32 } }),
          makeNode("Unsqueeze", ["floats", "last"], ["speaker"]),
          makeNode("Add", [after0, "speaker"], ["spoken"]),
        ],
        "spoken",
      );
      return {
        ...spoken,
        inputs: [...model.inputs, makeValue("speaker_ids", elementTypes.int64, ["b", "s"])],
        initializers: new Map([...model.initializers, ["last", makeInt64Tensor("last", [1], [2])]]),
      };
    };
    await withModel("speaking", speaking, async (model) => {
      await expect(model.findHook("spoken")).rejects.toThrow(
        /Cannot feed the model's input "speaker_ids" \[b, s\]: expected input_ids, attention_mask/,
      );
      expect((await model.findHook(after0)).d).toBe(32);
    });
  });

  test("more tokens than it has positions, and tokens that it does not know", async () => {
    const { model } = await openModel(fixtureModel("gpt2-optimum"), { threads: 1 });
    try {
      const hook = await model.findHook("blocks.1.hook_resid_post");
      const long = model.activations(hook, batchOf(2, 65));
      await expect(long).rejects.toThrow(DataError);
      await expect(long).rejects.toThrow(/cannot read a batch of 2 × 65 tokens: .*shorter --context/s);
      const unknown = batchOf(1, 4);
      unknown.tokenIds[2] = 288;
      await expect(model.activations(hook, unknown)).rejects.toThrow(/knows fewer tokens than the tokenizer/);
      expect((await model.activations(hook, batchOf(2, 64))).rows).toBe(128);
    } finally {
      await model.close();
    }
  });

  test.skipIf(promisesAnyMemory())(
    "batches that memory does not hold, says what would help, and reads on",
    async () => {
      // Attention over 300 000 tokens wants terabytes.
      const length = 300_000;
      const { model } = await openModel(fixtureModel("llama-optimum"), { threads: 1 });
      try {
        const hook = await model.findHook("blocks.1.hook_resid_post");
        const one = model.activations(hook, batchOf(1, length));
        await expect(one).rejects.toThrow(DataError);
        await expect(one).rejects.toThrow(
          /^Memory ran out for a batch of 1 × 300000 tokens \(\d+ MiB more were needed at once\); take a shorter context: --context 150000$/,
        );
        const splice = await model.splice(hook);
        await expect(splice.begin(batchOf(3, length))).rejects.toThrow(
          /Memory ran out.* take fewer tokens at once: --batch-tokens 450000$/,
        );
        const spliced = await splice.begin(batchOf(2, 5));
        const { rows, columns } = spliced.activations;
        expect((await spliced.run(zeros(rows, columns))).crossEntropy).toHaveLength(10);
      } finally {
        await model.close();
      }
    },
  );
});

function batchOf(rows: number, length: number): TokenBatch {
  return {
    rows,
    length,
    tokenIds: new Int32Array(rows * length).fill(5),
    lengths: new Int32Array(rows).fill(length),
  };
}

/** Whether the system may hand out more memory than it has, and end the process when that is used. */
function promisesAnyMemory(): boolean {
  try {
    return readFileSync("/proc/sys/vm/overcommit_memory", "utf8").trim() === "1";
  } catch {
    return true;
  }
}
