import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type HubServer, type ServedRepo, startHubServer } from "../core/test-support/hub-server.ts";
import { start, type WorldOnDisk, writeWorld } from "./cli-world.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const token = "a-token";
let world: WorldOnDisk;
let server: HubServer;

beforeAll(async () => {
  world = await writeWorld();
  const files: Record<string, { content: Uint8Array; large?: boolean }> = {};
  for (const sae of ["smaller", "larger"] as const) {
    files[`${sae}/cfg.json`] = { content: await readFile(join(world[sae], "cfg.json")) };
    files[`${sae}/sae_weights.safetensors`] = {
      content: await readFile(join(world[sae], "sae_weights.safetensors")),
      large: true,
    };
  }
  const repo: ServedRepo = { refs: { main: commit }, files };
  server = await startHubServer({ "owner/saes": repo, "owner/gated": { ...repo, gated: true } }, { token });
});

afterAll(async () => {
  await server.close();
  await world.remove();
});

function run(words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  return start(words, {
    HF_ENDPOINT: server.endpoint,
    HF_HOME: join(world.folder, "hub"),
    HF_TOKEN: "",
    ...environment,
  }).finished;
}

test("label reads both SAEs from the hub, names their commit, and downloads nothing the second time", async () => {
  const words = ["label", "hf:owner/saes/smaller", "hf:owner/saes/larger@main", "--json"];
  const first = await run([...words, "--activations", world.activations]);
  expect(first).toMatchObject({ code: 0 });
  const document = JSON.parse(first.stdout);
  expect(document.smaller.location).toBe(`hf:owner/saes/smaller@${commit}`);
  expect(document.larger).toMatchObject({ location: `hf:owner/saes/larger@${commit}`, m: world.m });
  const downloads = server.contents().length;
  expect(downloads).toBeGreaterThanOrEqual(4);

  const second = await run([...words, "--activations", world.activations]);
  expect(second.stdout).toBe(first.stdout);
  expect(server.contents().length).toBe(downloads);
});

test("inspect tells how to get at a gated repository, and opens it with HF_TOKEN", async () => {
  const refused = await run(["inspect", "hf:owner/gated/larger"]);
  expect(refused.code).toBe(1);
  expect(refused.stdout).toBe("");
  expect(refused.stderr).toMatch(/licence.*owner\/gated[\s\S]*HF_TOKEN/);
  const opened = await run(["inspect", "hf:owner/gated/larger"], { HF_TOKEN: token });
  expect(opened).toMatchObject({ code: 0 });
  expect(opened.stdout).toContain(`hf:owner/gated/larger@${commit}`);
});

test("inspect names the repository, revision or folder that the hub does not have", async () => {
  for (const [address, named] of [
    ["hf:owner/nothing/larger", "owner/nothing"],
    ["hf:owner/saes/larger@gone", "gone"],
    ["hf:owner/saes/largest", "largest"],
  ]) {
    const { code, stderr } = await run(["inspect", address]);
    expect(code).toBe(1);
    expect(stderr).toContain(named);
    expect(stderr).not.toContain("    at ");
  }
});
