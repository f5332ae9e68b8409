import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "@saestitch/core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readFixture } from "../core/test-support/fixture.ts";
import { type HubServer, type ServedRepo, startHubServer } from "../core/test-support/hub-server.ts";
import { randomSae } from "../core/test-support/random-saes.ts";
import { makeNode } from "../models/src/onnx/make-node.ts";
import { makeValue } from "../models/src/onnx/make-value.ts";
import { fixtureModel, insertAfter, writeChangedModel } from "../models/test-support/changed-model.ts";
import { saestitch, start, writeSae } from "./cli-world.ts";

let folder: string;
const at = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "saestitch-cli-models-"));
  await writeFile(at("text.txt"), "The cat sat on the mat.\n\nAnother cat sat in the house by the sea.\n");
  for (const [name, hook] of [
    ["sae", "blocks.1.hook_resid_post"],
    ["mlp-sae", "blocks.1.hook_mlp_out"],
  ] as const) {
    const made = randomSae(seededRandom(3), 32, 24);
    await writeSae(at(name), { ...made, decoderBias: made.inputBias });
    const config = JSON.parse(await readFile(at(`${name}/cfg.json`), "utf8"));
    config.metadata.hook_name = hook;
    await writeFile(at(`${name}/cfg.json`), JSON.stringify(config));
  }
});
afterAll(() => rm(folder, { recursive: true }));

/** Expect a refusal in words, without a stack, and nothing in standard output. */
async function expectRefusal(words: readonly string[], reason: RegExp, wanted = 1): Promise<void> {
  const { code, stdout, stderr } = await saestitch(...words);
  expect([words, code, stdout, stderr]).toEqual([words, wanted, "", expect.stringMatching(reason)]);
  expect(stderr).not.toMatch(/^ {4}at |unexpected error|onnxruntime:/m);
}

describe("a model in place of activations", () => {
  const gpt2 = fixtureModel("gpt2-optimum");
  const text = () => ["--text", at("text.txt"), "--quiet"];
  const on = (model: string) => ["--model", model, ...text()];

  test("needs a text, and is not given beside one", async () => {
    for (const [words, reason] of [
      [["--model", gpt2], /--model needs --text TEXT/],
      [["--text", at("text.txt")], /--text needs --model MODEL/],
      [["--activations", at("sae"), "--text", at("text.txt")], /are two samples; give one of them/],
      [[], /--activations PATH is missing, or --model MODEL with --text TEXT/],
      [["--model", gpt2, "--text", "hf:datasets/owner/name"], /say with --tokens N how much of it is read/],
      [[...on(gpt2), "--context", "65"], /reads at most 64 tokens at once, not 65/],
    ] as const)
      await expectRefusal(["evaluate", at("sae"), ...words], reason, 2);
  });

  test("is refused where its stream cannot be replaced, naming the edge, unless losses are not asked for", async () => {
    const value = "/transformer/h.2/Add_1_output_0";
    const again = makeNode("Add", [value, "/transformer/Add_output_0"], ["again"], { name: "/again" });
    const bypassed = await writeChangedModel(at("bypassed"), "gpt2-optimum", (graph) =>
      insertAfter(graph, value, [again], "again"),
    );
    await expectRefusal(
      ["evaluate", at("sae"), ...on(bypassed)],
      /the value \/transformer\/Add_output_0 reaches the logits around it, by the Add node "\/again"\. With --no-loss everything/,
    );
    expect((await saestitch("evaluate", at("sae"), ...on(bypassed), "--no-loss")).code).toBe(0);
    expect((await saestitch("evaluate", at("mlp-sae"), ...on(bypassed))).code).toBe(0);
  });

  test("is refused without logits, unless losses are not asked for", async () => {
    const hidden = makeValue("/transformer/Reshape_5_output_0", 1, ["b", "s", 32]);
    const features = await writeChangedModel(at("features"), "gpt2-optimum", (graph) => ({
      ...graph,
      outputs: [hidden],
    }));
    await expectRefusal(
      ["evaluate", at("sae"), ...on(features)],
      /has no output "logits", only \/transformer\/Reshape_5_output_0; export it for text generation/,
    );
    const { code, stderr } = await saestitch("evaluate", at("sae"), ...on(features), "--no-loss");
    expect([code, stderr]).toEqual([0, expect.stringContaining("does not tell how many tokens it knows")]);
  });

  test("is refused with a text that is empty or not UTF-8, by every command alike", async () => {
    await writeFile(at("empty.txt"), "\n");
    await writeFile(at("latin.txt"), Buffer.from("d\xe9j\xe0 vu", "latin1"));
    for (const command of [
      ["evaluate", at("sae")],
      ["label", at("sae"), at("sae")],
      ["examples", at("sae"), "--latent", "3"],
    ])
      for (const [name, reason] of [
        ["empty.txt", /There is no text in/],
        ["latin.txt", /latin\.txt is not UTF-8 text/],
      ] as const)
        await expectRefusal([...command, "--model", gpt2, "--text", at(name), "--quiet"], reason);
  });

  test("is refused where it has no such hook, or one of another width", async () => {
    await expectRefusal(
      ["evaluate", at("sae"), ...on(gpt2), "--hook", "block.1.hook_resid_post"],
      /the nearest are .*blocks\.1\.hook_resid_post/,
    );
    const wide = ["--hook", "/transformer/h.1/mlp/act/Mul_3_output_0"];
    await expectRefusal(["evaluate", at("sae"), ...on(gpt2), ...wide], /width 64 with .* of width 32/);
  });
});

describe("a model of the hub", () => {
  const commit = "0123456789abcdef0123456789abcdef01234567";
  const earlier = "fedcba9876543210fedcba9876543210fedcba98";
  const hook = ["--hook", "blocks.1.hook_resid_post"];
  let server: HubServer;
  let home: string;

  /** The layout of the hub's ONNX exports: configs and tokenizer in the root, graphs and weights in onnx/. */
  async function layout(graphs: Readonly<Record<string, string>>): Promise<ServedRepo["files"]> {
    const read = async (path: string) => ({ content: await readFixture(`models/${path}`) });
    const files: Record<string, { content: Uint8Array; large?: boolean }> = {};
    for (const name of ["tokenizer.json", "tokenizer_config.json", "config.json"])
      files[name] = await read(`llama-optimum/${name}`);
    for (const [name, path] of Object.entries(graphs))
      files[`onnx/${name}`] = { ...(await read(path)), large: true };
    return files;
  }

  beforeEach(async () => {
    home = await mkdtemp(join(folder, "hub-"));
    const external = {
      "model.onnx": "llama-external/model.onnx",
      "model.onnx_data": "llama-external/model.onnx_data",
    };
    const model: ServedRepo = {
      refs: { main: commit, "v0.1": earlier },
      files: await layout({ ...external, "model_fp16.onnx": "llama-fp16/model.onnx" }),
      otherFiles: { [earlier]: await layout({ "decoder_model.onnx": "llama-optimum/model.onnx" }) },
    };
    const content = await readFixture("text/snappy.parquet");
    const text: ServedRepo = {
      refs: { main: commit },
      files: { "data/train-00000-of-00001.parquet": { content, large: true } },
    };
    server = await startHubServer({ "owner/model": model, "datasets/owner/text": text });
  });
  afterEach(() => server.close());

  const run = (words: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
    start(words, {
      ...{ HF_ENDPOINT: server.endpoint, HF_HOME: home, HF_TOKEN: "", HF_HUB_OFFLINE: "" },
      ...environment,
    }).finished;
  const captured = async (out: string, words: readonly string[], environment = {}) => {
    const { code, stdout, stderr } = await run(
      ["capture", ...words, ...hook, "--context", "32", "--json", "--quiet", "--out", join(home, out)],
      environment,
    );
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    const { shards, ...document } = JSON.parse(stdout);
    return { ...document, stderr, shards: shards.map(({ sha256 }: { sha256: string }) => sha256) };
  };

  test("is found in onnx/ with its weights, its tokenizer in the root; a data set is its text", async () => {
    const listed = await run(["hooks", "hf:owner/model", "--json"]);
    expect(listed).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(listed.stdout)).toMatchObject({
      location: `hf:owner/model/onnx/model.onnx@${commit}`,
      blocks: 3,
      vocabulary: 320,
    });

    const remote = await captured("remote", [
      ...["hf:owner/model", "--text", "hf:datasets/owner/text", "--tokens", "300"],
    ]);
    expect(remote).toMatchObject({
      tokens: 300,
      model: { location: `hf:owner/model/onnx/model.onnx@${commit}` },
      text: { location: `hf:datasets/owner/text@${commit}`, files: [] },
    });
    // The tokenizer was not beside the graph, and no file was downloaded twice.
    const gets = server.contents().map(({ path }) => path.replace(/\?.*/, ""));
    expect(gets.filter((path) => path.endsWith("/model.onnx_data"))).toHaveLength(1);
    expect(gets.filter((path) => path.endsWith("/tokenizer.json"))).toHaveLength(1);
    expect(gets.some((path) => path.includes("fp16"))).toBe(false);

    // As from the same files on disk.
    const parquet = at("train.parquet");
    await writeFile(parquet, await readFixture("text/snappy.parquet"));
    const local = await captured("local", [
      ...[fixtureModel("llama-optimum"), "--text", parquet, "--tokens", "300"],
    ]);
    expect(local.shards).toEqual(remote.shards);
  });

  test("is opened at a revision, and by the name of its file", async () => {
    const locationOf = async (address: string) => {
      const { code, stdout, stderr } = await run(["hooks", address, "--json"]);
      expect([code, stderr]).toEqual([0, ""]);
      return JSON.parse(stdout).location;
    };
    expect(await locationOf("hf:owner/model@v0.1")).toBe(`hf:owner/model/onnx/decoder_model.onnx@${earlier}`);
    expect(await locationOf("hf:owner/model/onnx/model_fp16.onnx")).toBe(
      `hf:owner/model/onnx/model_fp16.onnx@${commit}`,
    );
    // With the tokenizer in the folder above.
    await captured("named", ["hf:owner/model/onnx/model_fp16.onnx", "--text", at("text.txt")]);
    for (const [address, reason] of [
      ["hf:owner/model@v9", /v9/],
      ["hf:owner/nothing", /owner\/nothing/],
      ["hf:owner/model/onnx/model_q4.onnx", /model_q4\.onnx/],
      ["hf:owner/model/pytorch", /pytorch/],
    ] as const) {
      const { code, stdout, stderr } = await run(["hooks", address]);
      expect([address, code, stdout, stderr]).toEqual([address, 1, "", expect.stringMatching(reason)]);
      expect(stderr).not.toContain("    at ");
    }
  });

  test.each(["unreachable", "switched off"])("is read from the cache where the hub is %s", async (how) => {
    const words = ["hf:owner/model", "--text", at("text.txt")];
    const online = await captured("online", words);
    if (how === "unreachable") await server.close();
    const offline = await captured("offline", words, how === "unreachable" ? {} : { HF_HUB_OFFLINE: "1" });
    expect(offline.shards).toEqual(online.shards);
    expect(offline.stderr).toMatch(/^warning: .*Using owner\/model at 0123456789abcdef/m);
  });

  test("that is not cached, and cannot be reached, is said to be neither", async () => {
    await server.close();
    const unreached = [
      "capture",
      "hf:owner/model",
      "--text",
      at("text.txt"),
      ...hook,
      "--out",
      at("unreached"),
    ];
    for (const [words, environment, reason] of [
      [["hooks", "hf:owner/model"], {}, /Cannot reach http/],
      [unreached, { HF_HUB_OFFLINE: "1" }, /HF_HUB_OFFLINE is set/],
    ] as const) {
      const { code, stdout, stderr } = await run(words, environment);
      expect([code, stdout, stderr]).toEqual([1, "", expect.stringMatching(reason)]);
      expect(stderr).toContain("The cache holds nothing of it");
      expect(stderr).not.toContain("    at ");
    }
    expect(await readdir(folder)).not.toContain("unreached");
  });

  test("of which only the graph is cached is refused by its weights, and says what is cached", async () => {
    server.answer("onnx/model.onnx_data", (response) => void response.writeHead(404).end());
    const broken = await run(["hooks", "hf:owner/model"]);
    expect([broken.code, broken.stdout, broken.stderr]).toEqual([
      1,
      "",
      expect.stringContaining("model.onnx_data"),
    ]);
    const { code, stdout, stderr } = await run(["hooks", "hf:owner/model"], { HF_HUB_OFFLINE: "1" });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/model\.onnx_data/);
    expect(stderr).toMatch(/The cache holds of it, at 0123456789abcdef[^:]*: .*onnx\/model\.onnx/);
    expect(stderr).not.toContain("    at ");
  });
});
