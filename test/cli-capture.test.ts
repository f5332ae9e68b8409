import { createHash } from "node:crypto";
import { access, copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "@saestitch/core";
import { openActivations } from "@saestitch/core/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collectRows } from "../core/src/activations/activation-source.conformance.ts";
import { randomSae } from "../core/test-support/random-saes.ts";
import { fixtureModel, scaled, writeChangedModel } from "../models/test-support/changed-model.ts";
import { saestitch, start, writeSae } from "./cli-world.ts";

const model = fixtureModel("gpt2-optimum");
const hook = "blocks.1.hook_resid_post";
const d = 32;

let folder: string;
const at = (name: string) => join(folder, name);
const capture = (...words: string[]) => saestitch("capture", ...words, "--quiet");
const reading = () => ["--hook", hook, "--text", at("text.txt"), "--context", "32"];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "saestitch-cli-capture-"));
  await writeFile(at("text.txt"), textOf(12));
  await writeFile(at("long.txt"), textOf(800));
  await writeFile(at("endless.txt"), textOf(4000));
  for (const [name, latents] of [
    ["smaller", 24],
    ["larger", 48],
  ] as const) {
    const made = randomSae(seededRandom(latents), d, latents);
    await writeSae(at(name), { ...made, decoderBias: made.inputBias });
  }
});
afterAll(() => rm(folder, { recursive: true }));

function textOf(paragraphs: number): string {
  const random = seededRandom(7);
  const words = "The cat sat on the mat and saw the other cat in a little house by the sea".split(" ");
  const paragraph = () =>
    Array.from({ length: 3 + Math.floor(40 * random()) }, () => words[Math.floor(random() * words.length)]);
  return Array.from({ length: paragraphs }, () => paragraph().join(" ")).join("\n\n");
}

/** Every file of a folder with the hash of its bytes. */
async function contents(path: string): Promise<Record<string, string>> {
  const names = (await readdir(path)).sort();
  const hashOf = async (name: string) =>
    createHash("sha256")
      .update(await readFile(join(path, name)))
      .digest("hex");
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await hashOf(name)] as const)),
  );
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** Expect a refusal in one line of words, without a stack, that leaves nothing at `out`. */
async function expectRefusal(
  words: readonly string[],
  reason: RegExp,
  { code: wanted = 1, out = at("refused") } = {},
): Promise<void> {
  const { code, stdout, stderr } = await saestitch(...words);
  expect([words, code, stdout, stderr]).toEqual([words, wanted, "", expect.stringMatching(reason)]);
  expect(stderr).not.toMatch(/^ {4}at |unexpected error|onnxruntime:/m);
  expect(await exists(out)).toBe(false);
}

describe("capture interrupted", () => {
  const words = () => [
    ...["capture", model, "--hook", hook, "--text", at("long.txt"), "--context", "64"],
    ...["--shard-rows", "1000", "--dtype", "bfloat16"],
  ];

  test("goes on with the same command, and writes the bytes of one that was not", async () => {
    const whole = await saestitch(...words(), "--out", at("whole"), "--quiet");
    expect([whole.code, whole.stderr]).toEqual([0, ""]);

    let runs = 0;
    for (let done = false; !done; runs++) {
      const before = await shardsIn(at("parts"));
      const { child, finished } = start([...words(), "--out", at("parts"), "--quiet"]);
      const interrupt = async () => (await shardsIn(at("parts"))) > before && child.kill("SIGINT");
      const { code, stdout, stderr } = await watched(finished, runs < 2 ? interrupt : undefined);
      done = code === 0;
      if (done) continue;
      expect([code, stdout]).toEqual([130, ""]);
      const kept = JSON.parse(await readFile(at("parts/capture.json"), "utf8"));
      expect(kept.complete).toBe(false);
      expect(kept.shards.length).toBeGreaterThan(runs);
      expect(stderr).toContain(`Interrupted after ${kept.tokens} tokens, which were kept. Go on with: `);
      expect(stderr).toContain(`--out ${at("parts")}`);
      // A part is a sample too.
      const { stderr: warning } = await saestitch("inspect", at("smaller"), "--activations", at("parts"));
      expect(warning).toContain("is a part of a capture that was interrupted");
    }
    expect(runs).toBe(3);
    expect(await contents(at("parts"))).toEqual(await contents(at("whole")));
  });

  test("before its first shard is whole says that nothing was kept, and leaves nothing", async () => {
    const { child, finished } = start([...words(), "--out", at("none"), "--shard-rows", "10000000"]);
    // The folder is made when the text begins to be read.
    const { code, stderr } = await watched(finished, async () => {
      return (await exists(at("none"))) && child.kill("SIGINT");
    });
    expect(code).toBe(130);
    expect(stderr).toContain("Interrupted before the first shard was whole; nothing was kept");
    expect(await exists(at("none"))).toBe(false);
  });

  test("twice ends at once, and leaves what can be gone on with", async () => {
    const { child, finished } = start([...words(), "--out", at("twice"), "--quiet"]);
    const { code, stderr } = await watched(finished, async () => {
      if ((await shardsIn(at("twice"))) === 0) return false;
      child.kill("SIGINT");
      // Signals that arrive at once count as one.
      await new Promise((done) => setTimeout(done, 1));
      return child.kill("SIGINT");
    });
    expect(code).toBe(130);
    expect(stderr).toContain("Interrupted");
    expect(stderr).not.toMatch(/terminate called|Napi/);
    expect(JSON.parse(await readFile(at("twice/capture.json"), "utf8")).complete).toBe(false);
  });
});

test("a model that runs is left when evaluate is interrupted, which ends as it should", async () => {
  const { child, finished } = start([
    ...["evaluate", at("smaller"), "--model", model, "--text", at("endless.txt"), "--context", "64"],
    ...["--hook", hook, "--quiet"],
  ]);
  // What it says before it runs the model.
  child.stderr.once("data", () => setTimeout(() => child.kill("SIGINT"), 1200));
  const { code, stdout, stderr } = await finished;
  expect([code, stdout]).toEqual([130, ""]);
  expect(stderr).not.toMatch(/terminate called|Napi/);
});

/** Wait for the end of a program, and meanwhile again and again do what is to be done once, until it says that it was. */
async function watched<Result>(finished: Promise<Result>, once?: () => Promise<boolean>): Promise<Result> {
  let running = true;
  const watch = (async () => {
    while (once !== undefined && running && !(await once())) await new Promise((done) => setTimeout(done, 5));
  })();
  try {
    return await finished;
  } finally {
    running = false;
    await watch;
  }
}

async function shardsIn(path: string): Promise<number> {
  const names = await readdir(path).catch(() => []);
  return names.filter((name) => /^shard-\d+\.safetensors$/.test(name)).length;
}

describe("capture refuses", () => {
  const into = () => ["--out", at("refused")];

  test.each([
    ["block.1.hook_resid_post", /the nearest are .*blocks\.1\.hook_resid_post/],
    ["blocks.1.hook_resid_prost", /of block 1 it has hook_resid_pre, .*hook_resid_post/],
    ["blocks.3.hook_resid_pre", /it has 3 blocks, 0 to 2/],
    ["/transformer/Gather_output_0", /its shape \[\], int64, is not that of a vector/],
  ])("the hook %s", async (place, reason) => {
    await expectRefusal(
      ["capture", model, "--hook", place, "--text", at("text.txt"), "--context", "32", ...into()],
      reason,
    );
  });

  test("a text that is empty, not UTF-8, of no kind it reads, or not there", async () => {
    await writeFile(at("empty.txt"), "");
    await writeFile(at("blank.txt"), " \n\n \n");
    await writeFile(at("latin.txt"), Buffer.from("caf\xe9 au lait", "latin1"));
    await writeFile(at("table.csv"), "a,b\n");
    await writeFile(at("broken.json"), '["a", ');
    await writeFile(at("other.jsonl"), '{"body": "a"}\n');
    for (const [text, reason] of [
      ["empty.txt", /There is no text in/],
      ["blank.txt", /There is no text in/],
      ["latin.txt", /latin\.txt is not UTF-8 text: its byte 4/],
      ["table.csv", /Cannot read .*table\.csv as text: expected text/],
      ["broken.json", /broken\.json is not JSON/],
      ["other.jsonl", /line 1, has no column "text"; its columns are: body/],
      ["nothing.txt", /nothing\.txt: there is no such file/],
    ] as const)
      await expectRefusal(
        ["capture", model, "--hook", hook, "--text", at(text), "--context", "32", ...into()],
        reason,
      );
  });

  test("a tokenizer of another vocabulary, none, and BOS where there is none", async () => {
    const llama = fixtureModel("llama-optimum");
    await cp(model, at("mixed"), { recursive: true });
    await copyFile(join(llama, "tokenizer.json"), at("mixed/tokenizer.json"));
    await expectRefusal(
      ["capture", at("mixed"), ...reading(), ...into()],
      /has 320 tokens, .* tells 288 apart\. This tokenizer is of another model/,
    );
    await mkdir(at("alone"));
    await copyFile(join(model, "model.onnx"), at("alone/model.onnx"));
    await expectRefusal(
      ["capture", at("alone"), ...reading(), ...into()],
      /there is no tokenizer\.json, beside it or in the folder above/,
    );
    await writeFile(at("alone/vocab.json"), "{}");
    await expectRefusal(
      ["capture", at("alone"), ...reading(), ...into()],
      /has vocab\.json, but no tokenizer/,
    );
    await copyFile(join(model, "tokenizer.json"), at("alone/tokenizer.json"));
    await expectRefusal(
      ["capture", at("alone"), ...reading(), "--bos", "yes", ...into()],
      /Cannot begin windows with BOS: tokenizer\.json of .* has no such token/,
    );
  });

  test("more positions than the model has, whether its config tells or not", async () => {
    await expectRefusal(
      ["capture", model, ...reading(), "--context", "65", ...into()],
      /reads at most 64 tokens at once, not 65; give --context 64 or less/,
      { code: 2 },
    );
    await cp(model, at("untold"), { recursive: true });
    await rm(at("untold/config.json"));
    await expectRefusal(
      ["capture", at("untold"), ...reading(), "--context", "100", "--arrangement", "packed", ...into()],
      /cannot read a batch of \d+ × 100 tokens: it has fewer positions, so give a shorter --context/,
    );
  });

  test("a command line without hook or text, and a data set of the hub without --tokens", async () => {
    const text = ["--text", at("text.txt")];
    for (const [words, reason] of [
      [[model, ...text, ...into()], /needs --hook NAME, or --sae SAE/],
      [[model, "--hook", hook, ...into()], /--text TEXT is missing/],
      [[model, "--hook", hook, ...text], /--out DIR is missing/],
      [
        [model, "--hook", hook, "--text", "hf:datasets/owner/name", ...into()],
        /is a data set of the hub; say with --tokens N how much/,
      ],
      [[model, "--hook", hook, ...text, "--tokens", "0", ...into()], /--tokens must be/],
    ] as const)
      await expectRefusal(["capture", ...words], reason, { code: 2 });
  });

  test("folders that hold something else, and changes nothing there", async () => {
    expect((await capture(model, ...reading(), "--out", at("taken"))).code).toBe(0);
    const before = await contents(at("taken"));
    for (const [words, reason] of [
      [["--context", "16"], /another capture.*its context is 32, not 16/],
      [["--hook", "blocks.0.hook_mlp_out"], /another capture.*its hook is/],
      [["--dtype", "float32", "--centre", "yes"], /its dtype is float16, not float32; its centring/],
    ] as const) {
      const { code, stdout, stderr } = await capture(model, ...reading(), ...words, "--out", at("taken"));
      expect([code, stdout, stderr]).toEqual([1, "", expect.stringMatching(reason)]);
    }
    expect(await contents(at("taken"))).toEqual(before);

    await mkdir(at("foreign"));
    await writeFile(at("foreign/weights.safetensors"), "");
    const foreign = await capture(model, ...reading(), "--out", at("foreign"));
    expect([foreign.code, foreign.stderr]).toEqual([
      1,
      expect.stringMatching(/holds weights\.safetensors, but no/),
    ]);
    expect(await readdir(at("foreign"))).toEqual(["weights.safetensors"]);
    const file = await capture(model, ...reading(), "--out", at("text.txt"));
    expect([file.code, file.stderr]).toEqual([1, expect.stringMatching(/Cannot capture into the folder/)]);
  });
});

describe("a capture that was changed", () => {
  let captured: Record<string, string>;
  const label = (activations: string, ...words: string[]) =>
    saestitch("label", at("smaller"), at("larger"), "--activations", activations, "--quiet", ...words);
  beforeAll(async () => {
    const { code } = await capture(model, ...reading(), "--out", at("acts"));
    expect(code).toBe(0);
    captured = await contents(at("acts"));
  });

  /** A copy in which bytes of a tensor of the shard are others. */
  async function changed(tensor: string, byte: number): Promise<string> {
    const path = at(`changed-${tensor}-${byte}`);
    await cp(at("acts"), path, { recursive: true });
    const [name] = Object.keys(captured).filter((file) => file.endsWith(".safetensors"));
    const bytes = await readFile(join(path, name));
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
    bytes[8 + length + header[tensor].data_offsets[0] + byte] ^= 0x10;
    await writeFile(join(path, name), bytes);
    return path;
  }

  test("in its first activations or tokens is refused by label", async () => {
    // The second byte of a float16 has its exponent.
    for (const [tensor, byte, reason] of [
      ["activations", 2 * d * 3 + 1, /row 3 is not what was captured/],
      ["token_ids", 20, /row 5 is of the token \d+, but \d+ was captured/],
    ] as const) {
      const { code, stdout, stderr } = await label(await changed(tensor, byte));
      expect([code, stdout, stderr]).toEqual([1, "", expect.stringMatching(reason)]);
    }
  });

  test("anywhere is refused where its files are hashed", async () => {
    const path = await changed("document_ids", 400);
    const { code, stderr } = await label(path, "--out", at("labels"));
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/shard-00000\.safetensors has been changed since it was captured/),
    ]);
    expect(await exists(at("labels/run.json"))).toBe(false);
    expect((await label(at("acts"), "--out", at("labels"))).code).toBe(0);
  });

  test("of another length, or without its record whole, is refused", async () => {
    await cp(at("acts"), at("longer"), { recursive: true });
    await copyFile(at("acts/shard-00000.safetensors"), at("longer/shard-00001.safetensors"));
    const longer = await label(at("longer"));
    expect([longer.code, longer.stderr]).toEqual([
      1,
      expect.stringMatching(/has \d+ rows of width 32, but \d+ of width 32 were captured/),
    ]);
    await cp(at("acts"), at("torn"), { recursive: true });
    await writeFile(at("torn/capture.json"), "{");
    const torn = await label(at("torn"));
    expect([torn.code, torn.stderr]).toEqual([1, expect.stringMatching(/capture\.json is not JSON/)]);
  });

  test("is told from its model, which --model compares it with", async () => {
    const same = await label(at("acts"), "--model", model);
    expect([same.code, same.stderr]).toEqual([
      0,
      expect.stringMatching(/gives the first rows of .*acts again, to .* of their norm/),
    ]);
    const value = "/transformer/h.0/mlp/c_proj/Reshape_1_output_0";
    await writeChangedModel(at("other"), "gpt2-optimum", (graph) => scaled(graph, value, 1.05));
    for (const [other, reason] of [
      [at("other"), /other\/model\.onnx: row 0 is not what was captured: its norm is/],
      [fixtureModel("llama-optimum"), /row 0 is not what was captured/],
      [fixtureModel("neox-optimum"), /it tells 96 tokens apart, and token \d+ was read/],
    ] as const) {
      const { code, stdout, stderr } = await label(at("acts"), "--model", other);
      expect([other, code, stdout, stderr]).toEqual([other, 1, "", expect.stringMatching(reason)]);
    }
  });
});

describe("centring", () => {
  /** An SAE whose file says where it was trained, and on a model with centred writing weights. */
  async function writeCentred(name: string, hookName = hook): Promise<string> {
    const made = randomSae(seededRandom(5), d, 16);
    await writeSae(at(name), { ...made, decoderBias: made.inputBias });
    const config = JSON.parse(await readFile(at(`${name}/cfg.json`), "utf8"));
    Object.assign(config.metadata, {
      hook_name: hookName,
      context_size: 24,
      prepend_bos: true,
      model_from_pretrained_kwargs: { center_writing_weights: true },
    });
    await writeFile(at(`${name}/cfg.json`), JSON.stringify(config));
    return at(name);
  }

  async function captured(name: string, of: string, ...words: string[]) {
    const { code, stdout, stderr } = await capture(
      ...[of, "--text", at("text.txt"), "--dtype", "float32", "--json", "--out", at(name), ...words],
    );
    expect([code, stderr]).toEqual([0, ""]);
    const source = await openActivations(at(name));
    const rows = await collectRows(source);
    await source.close();
    const means = Array.from({ length: source.rows }, (_, i) =>
      rows.activations.subarray(i * d, (i + 1) * d).reduce((sum, value) => sum + value / d, 0),
    );
    const { remarks, processing, context, bos } = JSON.parse(stdout);
    return { ...rows, largestMean: Math.max(...means.map(Math.abs)), remarks, processing, context, bos };
  }

  test("is done, and said, as the SAE's file says, unless it is told not to", async () => {
    const sae = await writeCentred("centred");
    const centred = await captured("centred-acts", model, "--sae", sae);
    expect(centred).toMatchObject({ processing: { centred: true }, context: 24, bos: true });
    expect(centred.remarks.join("\n")).toMatch(
      /had its writing weights centred: the mean over d is subtracted from each activation, because every LayerNorm/,
    );
    expect(centred.largestMean).toBeLessThan(1e-6);

    const raw = await captured("raw-acts", model, "--sae", sae, "--centre", "no");
    expect(raw.processing).toEqual({ centred: false });
    expect(raw.remarks).toContain("Activations are not centred, as given.");
    expect(raw.largestMean).toBeGreaterThan(0.1);
    // Nothing else differs.
    expect(raw.tokenIds).toEqual(centred.tokenIds);
    const { length } = raw.activations;
    for (let p = 0; p < length; p++) {
      const row = raw.activations.subarray(p - (p % d), p - (p % d) + d);
      const mean = row.reduce((sum, value) => sum + value, 0) / d;
      expect(centred.activations[p]).toBeCloseTo(raw.activations[p] - mean, 5);
    }
  });

  test("is not done where it would change more than the hook, and that is said", async () => {
    const sae = await writeCentred("centred-rms");
    const llama = await captured("llama-acts", fixtureModel("llama-optimum"), "--sae", sae);
    expect(llama.processing).toEqual({ centred: false });
    expect(llama.remarks.join("\n")).toMatch(
      /activations are taken as they are, because the model's norms do not/,
    );
    expect(llama.largestMean).toBeGreaterThan(0.1);

    const z = await writeCentred("centred-z", "blocks.1.attn.hook_z");
    const mixed = await captured("z-acts", model, "--sae", z);
    expect(mixed.processing).toEqual({ centred: false });
    expect(mixed.remarks.join("\n")).toMatch(/hook_z is not written to the residual stream/);
  });

  test("costs nothing in loss: evaluate puts the mean back", async () => {
    const sae = await writeCentred("centred-loss");
    const words = ["evaluate", sae, "--model", model, "--text", at("text.txt"), "--json", "--quiet"];
    const [centred, raw] = await Promise.all(
      [[], ["--centre", "no"]].map((more) => saestitch(...words, ...more)),
    );
    expect([centred.code, raw.code]).toEqual([0, 0]);
    expect(centred.stderr).toContain("the mean over d is subtracted");
    const original = ({ stdout }: { stdout: string }) => JSON.parse(stdout).loss.original.crossEntropy;
    expect(original(centred)).toBeCloseTo(original(raw), 5);
  });
});
