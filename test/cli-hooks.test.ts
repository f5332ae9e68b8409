import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startHubServer } from "../core/test-support/hub-server.ts";
import { documentedFields } from "./cli-documented-fields.ts";
import { saestitch, start } from "./cli-world.ts";

const modelAt = (name: string) => fileURLToPath(new URL(`../fixtures/models/${name}`, import.meta.url));
const documented = async (heading: string) => (await documentedFields(heading, "", "hooks-output.md")).sort();

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "saestitch-hooks-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("hooks", () => {
  test("folds the places of all blocks to one line each", async () => {
    const { code, stdout, stderr } = await saestitch("hooks", modelAt("gpt2-optimum"));
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^ {2}blocks +3$/m);
    expect(stdout).toMatch(/^ {2}normalisation +LayerNorm/m);
    expect(stdout).toMatch(/^ {2}vocabulary +288 tokens$/m);
    for (const place of ["resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out"])
      expect(stdout).toMatch(
        new RegExp(`^  blocks\\.\\{0\\.\\.2\\}\\.hook_${place} +32 +batch×sequence×32$`, "m"),
      );
    expect(stdout).not.toContain("blocks.2.");
    expect(stdout).toContain("    /transformer/h.0/Add_output_0");
    expect(stdout).toContain("--hook blocks.1.hook_resid_pre");
    expect(
      stdout
        .replaceAll(modelAt(""), "")
        .split("\n")
        .filter((line) => line.length > 80),
    ).toEqual([]);
  });

  test("--json has every place by itself, --all every other value with a vector for each token", async () => {
    const listed = await saestitch("hooks", modelAt("gpt2-optimum"), "--json");
    expect([listed.code, listed.stderr]).toEqual([0, ""]);
    const document = JSON.parse(listed.stdout);
    expect(Object.keys(document).sort()).toEqual(await documented("What `hooks` prints"));
    const places = ["resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post"].map((at) => `hook_${at}`);
    places.splice(1, 0, "attn.hook_z");
    expect(document.hooks.map(({ name }: { name: string }) => name)).toEqual(
      [0, 1, 2].flatMap((block) => places.map((place) => `blocks.${block}.${place}`)),
    );
    const fields = await documented("An entry of `hooks`");
    for (const hook of document.hooks) expect(Object.keys(hook).sort()).toEqual(fields);

    const all = JSON.parse((await saestitch("hooks", modelAt("gpt2-optimum"), "--all", "--json")).stdout);
    expect(all.hooks.slice(0, document.hooks.length)).toEqual(document.hooks);
    const others = all.hooks.slice(document.hooks.length);
    expect(others).toContainEqual({
      name: null,
      tensor: "/transformer/h.0/mlp/act/Mul_3_output_0",
      shape: ["batch", "sequence", 64],
      d: 64,
    });
    for (const { name, shape } of others) {
      expect(name).toBeNull();
      expect(shape[0]).toMatch(/^batch/);
    }
  });

  test("--all shows every block by itself", async () => {
    const { stdout } = await saestitch("hooks", modelAt("gpt2-optimum"), "--all");
    expect(stdout.match(/^ {2}blocks\.\d\.hook_resid_post /gm)).toHaveLength(3);
    expect(stdout).not.toContain("{0..2}");
    expect(stdout).toMatch(/^Other values {2}\d+ with a vector for each token/m);
    expect(stdout).toMatch(/^ +64 {2}batch×sequence×64 +\/transformer\/h\.0\/mlp\/act\//m);
  });

  test("reads a model from the hub, and names its commit", async () => {
    const commit = "0123456789abcdef0123456789abcdef01234567";
    const content = await readFile(join(modelAt("gpt2-optimum"), "model.onnx"));
    const server = await startHubServer({
      "owner/model": { refs: { main: commit }, files: { "onnx/model.onnx": { content, large: true } } },
    });
    try {
      const { code, stdout } = await start(["hooks", "hf:owner/model", "--json"], {
        HF_ENDPOINT: server.endpoint,
        HF_HOME: join(folder, "hub"),
        HF_TOKEN: "",
      }).finished;
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        location: `hf:owner/model/onnx/model.onnx@${commit}`,
        blocks: 3,
      });
    } finally {
      await server.close();
    }
  });

  test("refuses what is no model, in one line", async () => {
    const whole = await readFile(join(modelAt("gpt2-optimum"), "model.onnx"));
    await writeFile(join(folder, "cut.onnx"), whole.subarray(0, 5000));
    await writeFile(join(folder, "text.onnx"), "not a model\n".repeat(100));
    for (const [words, exit, complaint] of [
      [[join(folder, "cut.onnx")], 1, "cut.onnx"],
      [[join(folder, "text.onnx")], 1, "text.onnx"],
      [[join(folder, "nowhere")], 1, "there is no such file or folder"],
      [[folder], 1, "Cannot tell which graph"],
      [[modelAt("gpt2-optimum"), "--device", "tpu"], 2, "--device must be cpu, webgpu or cuda"],
      [[], 2, "<model> is missing"],
    ] as const) {
      const { code, stdout, stderr } = await saestitch("hooks", ...words);
      expect([words, code, stdout]).toEqual([words, exit, ""]);
      expect(stderr).toContain(complaint);
      expect(stderr).not.toContain("    at ");
    }
  });
});
