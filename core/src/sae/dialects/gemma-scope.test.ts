import { expect, test } from "vitest";
import { readFixture } from "../../../test-support/fixture.ts";
import { memoryFiles } from "../../../test-support/memory-files.ts";
import { safetensorsBytes, type TestTensor } from "../../../test-support/saelens-files.ts";
import { FormatError, UnsupportedError } from "../../errors.ts";
import { openSae } from "../open-sae.ts";
import { parseGemmaScopePath } from "./gemma-scope-path.ts";

const sound = {
  architecture: "jump_relu",
  type: "sae",
  width: 6,
  l0: 20,
  hf_hook_point_in: "model.layers.3.output",
};

function secondFiles(
  config: Readonly<Record<string, unknown>> | undefined,
  { tensors = {}, location = "memory" }: { tensors?: Record<string, TestTensor>; location?: string } = {},
) {
  const params = safetensorsBytes({
    w_enc: { shape: [4, 6] },
    w_dec: { shape: [6, 4] },
    b_enc: { shape: [6] },
    b_dec: { shape: [4] },
    threshold: { shape: [6] },
    ...tensors,
  });
  const json = config && { "config.json": new TextEncoder().encode(JSON.stringify({ ...sound, ...config })) };
  return memoryFiles({ ...json, "params.safetensors": params }, { location });
}

test.each([
  [{ type: "transcoder" }, UnsupportedError, /it is a transcoder/],
  [{ type: "clt" }, UnsupportedError, /it is a clt/],
  [{ type: "crosscoder" }, UnsupportedError, /it is a crosscoder/],
  [{ affine_connection: true }, UnsupportedError, /transcoder/],
  [{ architecture: "relu" }, UnsupportedError, /"relu"/],
  [{ width: 7 }, FormatError, /states 7 latents, but .* has 6/],
  [{ width: -1 }, FormatError, /-1/],
] as const)("openSae() refuses Gemma Scope 2 with %j", async (change, type, message) => {
  const opened = openSae(secondFiles(change));
  await expect(opened).rejects.toThrow(type);
  await expect(opened).rejects.toThrow(message);
});

test("openSae() refuses an affine connection that only the tensors tell of", async () => {
  const tensors = { affine_skip_connection: { shape: [4, 4] } };
  await expect(openSae(secondFiles({}, { tensors }))).rejects.toThrow(UnsupportedError);
});

test("openSae() reads Gemma Scope 2 without a config, unless the path names a transcoder", async () => {
  const { origin } = await openSae(
    secondFiles(undefined, { location: "resid_post/layer_3_width_16k_l0_small" }),
  );
  expect(origin.warnings).toHaveLength(1);
  const transcoder = secondFiles(undefined, { location: "transcoder/layer_3_width_16k_l0_small" });
  await expect(openSae(transcoder)).rejects.toThrow(UnsupportedError);
});

test("openSae() refuses Gemma Scope 2 whose tensors do not fit", async () => {
  const tensors = { threshold: { shape: [5] } };
  await expect(openSae(secondFiles({}, { tensors }))).rejects.toThrow(
    /threshold of .* \[5\], expected \[6\]/,
  );
});

test("openSae() refuses the transcoders of the first Gemma Scope, which only their repository tells apart", async () => {
  const params = await readFixture("gemma-scope/layer_12/width_16k/average_l0_82/params.npz");
  const location = "hf:google/gemma-scope-2b-pt-transcoders/layer_12/width_16k/average_l0_82@main";
  await expect(openSae(memoryFiles({ "params.npz": params }, { location }))).rejects.toThrow(
    UnsupportedError,
  );
});

test("openSae() reads a copy of the first Gemma Scope whose path tells nothing, and says so", async () => {
  const params = await readFixture("gemma-scope/layer_12/width_16k/average_l0_82/params.npz");
  const { origin } = await openSae(memoryFiles({ "params.npz": params }));
  expect(origin.statedL0).toBeUndefined();
  expect(origin.hook).toBeUndefined();
  expect(origin.warnings).toHaveLength(1);
});

test.each([
  [
    "hf:google/gemma-scope-9b-it-res/layer_20/width_131k/average_l0_24@abc",
    "gemma-2-9b-it",
    "blocks.20.hook_resid_post",
    24,
  ],
  [
    "C:\\saes\\gemma-scope-2b-pt-att\\layer_1\\width_16k\\average_l0_8",
    "gemma-2-2b",
    "blocks.1.attn.hook_z",
    8,
  ],
  ["/saes/layer_4/width_16k/average_l0_39", undefined, undefined, 39],
] as const)("parseGemmaScopePath() reads %s", (path, modelName, hook, statedL0) => {
  const parsed = parseGemmaScopePath(path);
  expect([parsed.modelName, parsed.hook, parsed.statedL0]).toEqual([modelName, hook, statedL0]);
});
