import { expect, test } from "vitest";
import { saelensFiles, safetensorsBytes } from "../../../test-support/saelens-files.ts";
import { FormatError, UnsupportedError } from "../../errors.ts";
import { openSae } from "../open-sae.ts";
import type { Sae } from "../sae.ts";

const refused: [string, Record<string, unknown>, new (message: string) => Error, RegExp][] = [
  ["a transcoder", { architecture: "transcoder" }, UnsupportedError, /transcoder writes/],
  ["a temporal SAE", { architecture: "temporal" }, UnsupportedError, /earlier tokens/],
  ["matching pursuit", { architecture: "matching_pursuit" }, UnsupportedError, /iteration/],
  ["signed top-k", { architecture: "abstopk" }, UnsupportedError, /negative/],
  ["an unknown architecture", { architecture: "constructor" }, UnsupportedError, /not one of standard/],
  ["no architecture", { architecture: undefined }, FormatError, /no "architecture"/],
  ["another width written", { d_out: 5 }, UnsupportedError, /transcoder/],
  ["whitening", { normalize_activations: "covariance_whitening" }, UnsupportedError, /whitening/],
  ["an unknown normalisation", { normalize_activations: 3 }, UnsupportedError, /asks with 3/],
  ["an unknown reshaping", { reshape_activations: "hook_q" }, UnsupportedError, /hook_q/],
  ["a negative width", { d_in: -4 }, FormatError, /-4 under "d_in"/],
  ["a width beyond integers", { d_sae: 1e18 }, FormatError, /1000000000000000000/],
  ["a text for a width", { d_sae: "6" }, FormatError, /"6" under "d_sae"/],
  ["no width", { d_sae: undefined }, FormatError, /no "d_sae"/],
  ["a width the tensors lack", { d_sae: 7 }, FormatError, /W_enc .* \[4, 6\], expected \[4, 7\]/],
  ["topk without k", { architecture: "topk" }, FormatError, /no "k"/],
  ["k beyond the latents", { architecture: "topk", k: 7 }, FormatError, /7 largest of 6/],
  ["jumprelu without threshold", { architecture: "jumprelu" }, FormatError, /no tensor "threshold"/],
  ["metadata that is a list", { metadata: [] }, FormatError, /"metadata"/],
  ["a release that is none", { metadata: { sae_lens_version: "new" } }, FormatError, /"new"/],
  ["a flag that is a text", { apply_b_dec_to_input: "no" }, FormatError, /true or false/],
];

test.each(refused)("openSae() refuses a SAELens file with %s", async (_, change, type, message) => {
  const opened = openSae(saelensFiles({ config: change }));
  await expect(opened).rejects.toThrow(type);
  await expect(opened).rejects.toThrow(message);
});

test("openSae() refuses the activation functions of old releases that it cannot compute", async () => {
  const metadata = { sae_lens_version: "5.0.0" };
  for (const activation of [{ activation_fn: "tanh-relu" }, { activation_fn_str: "softplus" }])
    await expect(openSae(saelensFiles({ config: { metadata, ...activation } }))).rejects.toThrow(
      UnsupportedError,
    );
  const topk = { metadata, activation_fn: "topk" };
  await expect(openSae(saelensFiles({ config: topk }))).rejects.toThrow(/no "k"/);
});

test("openSae() refuses a skip connection", async () => {
  const files = saelensFiles({ tensors: { W_skip: { shape: [4, 4] } } });
  await expect(openSae(files)).rejects.toThrow(UnsupportedError);
});

test("openSae() refuses weights that are not floating-point numbers", async () => {
  const files = saelensFiles({ tensors: { W_enc: { shape: [4, 6], dtype: "I32" } } });
  await expect(openSae(files)).rejects.toThrow(/type I32, expected one of F64/);
});

test("openSae() says what is missing beside a lone file", async () => {
  await expect(openSae(saelensFiles({ without: "cfg.json" }))).rejects.toThrow(/has no cfg.json/);
  await expect(openSae(saelensFiles({ without: "sae_weights.safetensors" }))).rejects.toThrow(
    /has no sae_weights.safetensors/,
  );
});

test("openSae() refuses a fine-tuned factor that cfg.json does not mention", async () => {
  const files = saelensFiles({ tensors: { scaling_factor: { shape: [6], value: 2 } } });
  await expect(openSae(files)).rejects.toThrow(FormatError);
});

test("openSae() applies a fine-tuned factor to the directions, and records it", async () => {
  const tensors = { scaling_factor: { shape: [6], value: 2 } };
  const plain = await openSae(saelensFiles());
  const sae = await openSae(saelensFiles({ tensors, config: { finetuning_scaling_factor: true } }));
  expect([...sae.decoder.values]).toEqual([...plain.decoder.values].map((value) => 2 * value));
  expect(sae.folds.map(({ kind }) => kind)).toEqual(["output-scale"]);
});

test("openSae() reads an SAE that selects by decoder norm with unit directions, and records it", async () => {
  const sae = await openSae(
    saelensFiles({ config: { architecture: "topk", k: 2, rescale_acts_by_decoder_norm: true } }),
  );
  for (let j = 0; j < 6; j++)
    expect(Math.hypot(...sae.decoder.values.subarray(4 * j, 4 * j + 4))).toBeCloseTo(1, 6);
  expect(sae.folds.map(({ kind }) => kind)).toEqual(["decoder-norm"]);
});

test("openSae() stores the encoder by latent", async () => {
  const sae = await openSae(saelensFiles());
  const stored = (k: number, j: number) => Math.fround(Math.sin(6 * k + j));
  for (let j = 0; j < 6; j++)
    for (let k = 0; k < 4; k++) expect(sae.encoder.values[4 * j + k]).toBe(stored(k, j));
});

const normalizations: [unknown, Sae["normalization"]][] = [
  [undefined, { kind: "none" }],
  [null, { kind: "none" }],
  [false, { kind: "none" }],
  ["none", { kind: "none" }],
  ["layer_norm", { kind: "layer-norm" }],
  ["constant_norm_rescale", { kind: "unit-mean-square" }],
  [true, { kind: "expected-average", factor: null }],
  ["expected_average_only_in", { kind: "expected-average", factor: null }],
];

test.each(normalizations)(
  "openSae() reads normalize_activations %s",
  async (normalize_activations, wanted) => {
    const sae = await openSae(saelensFiles({ config: { normalize_activations } }));
    expect(sae.normalization).toEqual(wanted);
    expect(sae.origin.warnings).toHaveLength(wanted.kind === "expected-average" ? 1 : 0);
  },
);

test("openSae() takes the factor of expected_average_only_in from activation_scaler.json", async () => {
  const config = { normalize_activations: "expected_average_only_in" };
  const scaler = (text: string) => ({ "activation_scaler.json": new TextEncoder().encode(text) });
  const sae = await openSae(saelensFiles({ config, files: scaler('{"scaling_factor": 0.25}') }));
  expect(sae.normalization).toEqual({ kind: "expected-average", factor: 0.25 });
  for (const factor of ["-1", "0", '"1"', "1e999"])
    await expect(
      openSae(saelensFiles({ config, files: scaler(`{"scaling_factor": ${factor}}`) })),
    ).rejects.toThrow(FormatError);
});

test("openSae() states the L0 of sparsity.safetensors, where latents that never fired have −∞", async () => {
  const sparsity = Float32Array.of(-1, -Infinity, 0, -2, -Infinity, -1);
  const files = { "sparsity.safetensors": safetensorsBytes({ sparsity: { shape: [6], values: sparsity } }) };
  const { origin } = await openSae(saelensFiles({ files }));
  expect(origin.statedL0).toBeCloseTo(1.21, 6);
  expect(origin.statedL0Source).toBe("sparsity.safetensors");
});

test("openSae() prefers the L0 that cfg.json states", async () => {
  const { origin } = await openSae(
    saelensFiles({ config: { metadata: { sae_lens_version: "6.47.0", l0: 5.5 } } }),
  );
  expect(origin.statedL0).toBe(5.5);
  expect(origin.statedL0Source).toContain("cfg.json");
});

test("openSae() refuses a sparsity that no SAE can have", async () => {
  for (const value of [Number.NaN, 1]) {
    const sparsity = { shape: [6], values: new Float32Array(6).fill(value) };
    const files = { "sparsity.safetensors": safetensorsBytes({ sparsity }) };
    await expect(openSae(saelensFiles({ files }))).rejects.toThrow(/sparsity of .* expected at most 6/);
  }
});

test("openSae() names the model, the hook, the context and how the SAE was trained", async () => {
  const metadata = {
    sae_lens_version: "6.54.0",
    model_name: "gpt2",
    hook_name: "blocks.3.hook_resid_pre",
    hook_head_index: 2,
    prepend_bos: false,
    context_size: 256,
    training_architecture: "matryoshka_batchtopk",
    model_from_pretrained_kwargs: { center_writing_weights: true },
  };
  const { origin } = await openSae(saelensFiles({ config: { metadata } }));
  expect(origin).toMatchObject({
    dialect: "saelens",
    architecture: "standard, trained as matryoshka_batchtopk",
    modelName: "gpt2",
    hook: "blocks.3.hook_resid_pre",
    prependBos: false,
    contextSize: 256,
    files: [{ name: "cfg.json" }, { name: "sae_weights.safetensors" }],
  });
  expect(origin.warnings).toEqual([
    expect.stringContaining("head 2"),
    expect.stringContaining("center_writing_weights"),
  ]);
});
