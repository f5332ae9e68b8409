import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { realData } from "../../test-support/real-data.ts";
import { FormatError, UnsupportedError } from "../errors.ts";
import { rowNormsSquared } from "../linalg/norm.ts";
import { readSae } from "./read-sae.ts";
import { openSaeFolder } from "./sae-folder.ts";

const fixtures = fileURLToPath(new URL("../../../fixtures/", import.meta.url));

test.each([
  "saelens/standard-none",
  "saelens/standard-none/cfg.json",
  "saelens/standard-none/sae_weights.safetensors",
  "gemma-scope/layer_12/width_16k/average_l0_82",
  "gemma-scope/layer_12/width_16k/average_l0_82/params.npz",
])("openSaeFolder() finds the SAE of %s", async (path) => {
  const sae = await readSae(join(fixtures, path));
  expect([sae.encoder.rows, sae.encoder.columns]).toEqual([18, 12]);
  expect(sae.origin.location).toBe(join(fixtures, path.replace(/\/[^/]*\.[^/]*$/, "")));
});

test("openSaeFolder() keeps a file of another name apart from the SAE beside it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "saestitch-sae-folder-"));
  await writeFile(join(folder, "cfg.json"), "{}");
  await writeFile(join(folder, "other.safetensors"), "");
  await expect(readSae(join(folder, "other.safetensors"))).rejects.toThrow(
    /its files are: other.safetensors;/,
  );
  await rm(folder, { recursive: true });
});

test("openSaeFolder() of a folder of SAEs leads to their names", async () => {
  const folder = await mkdtemp(join(tmpdir(), "saestitch-sae-folder-"));
  await mkdir(join(folder, "wide"));
  await writeFile(join(folder, "wide", "cfg.json"), "{}");
  const opened = readSae(folder);
  await expect(opened).rejects.toThrow(UnsupportedError);
  await expect(opened).rejects.toThrow(/folders beneath: wide/);
  await rm(folder, { recursive: true });
});

test("openSaeFolder() says what it looked for when there is nothing", async () => {
  const path = join(tmpdir(), "saestitch-absent");
  const opened = openSaeFolder(path);
  await expect(opened).rejects.toThrow(FormatError);
  await expect(opened).rejects.toThrow(
    /saestitch-absent: there is nothing there; expected .*sae_weights.safetensors/,
  );
});

const { folder: real, isThere } = realData();

test.skipIf(!isThere).each([
  [128, 8.965],
  [256, 8.832],
  [512, 8.574],
  [1024, 8.421],
  [2048, 8.471],
])("openSae() reads the real SAE of %i latents", async (m, l0) => {
  const sae = await readSae(join(real, "saes", `blocks.2.hook_resid_post_${m}`));
  expect([sae.encoder.rows, sae.encoder.columns]).toEqual([m, 64]);
  expect(sae.activation.kind).toBe("relu");
  expect([...sae.inputBias]).toEqual([...sae.decoderBias]);
  for (const squared of rowNormsSquared(sae.decoder)) expect(squared).toBeCloseTo(1, 5);
  expect(sae.origin).toMatchObject({
    modelName: "stories260K",
    hook: "blocks.2.hook_resid_post",
    prependBos: true,
  });
  expect(sae.origin.statedL0).toBeGreaterThan(0.9 * l0);
  expect(sae.origin.statedL0).toBeLessThan(1.1 * l0);
});
