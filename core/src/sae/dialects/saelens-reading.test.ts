import { expect, test } from "vitest";
import { readFixture } from "../../../test-support/fixture.ts";
import { saelensFiles } from "../../../test-support/saelens-files.ts";
import { FormatError } from "../../errors.ts";
import { parseJsonObject } from "../../formats/json.ts";
import { openSae } from "../open-sae.ts";
import { configOf } from "./read-config.ts";
import { parseSaelensConfig } from "./saelens-config.ts";

const sizes = { architecture: "standard", d_in: 4, d_sae: 6 };

/** What the origin says that a cfg.json with these keys makes. */
function originOf(keys: Readonly<Record<string, unknown>>) {
  return parseSaelensConfig(configOf({ ...sizes, ...keys }, "cfg.json")).origin;
}

const centring: readonly (readonly [string, Readonly<Record<string, unknown>>, boolean | undefined])[] = [
  ["the file says so", { model_from_pretrained_kwargs: { center_writing_weights: true } }, true],
  ["the file says not", { model_from_pretrained_kwargs: { center_writing_weights: false } }, false],
  [
    "an early release says not",
    {
      sae_lens_training_version: "3.1.0",
      model_from_pretrained_kwargs: { center_writing_weights: false },
    },
    false,
  ],
  ["releases 1 and 2 made it, by their key", { hook_point: "blocks.8.hook_resid_pre" }, true],
  ["release 2 states itself", { hook_point: "x", sae_lens_version: "2.1.3" }, true],
  ["the last release that processed models", { sae_lens_training_version: "3.19.1" }, true],
  [
    "an early training was saved again",
    {
      sae_lens_training_version: "3.11.0",
      sae_lens_version: "6.18.0",
      model_from_pretrained_kwargs: {},
    },
    true,
  ],
  [
    "the first release that did not",
    {
      sae_lens_training_version: "3.19.2",
      model_from_pretrained_kwargs: {},
    },
    false,
  ],
  ["a later release says nothing", { sae_lens_version: "6.18.0" }, undefined],
  ["nobody says anything", { hook_name: "blocks.8.hook_resid_pre" }, undefined],
  [
    "the release is no release",
    {
      sae_lens_training_version: "dev",
      model_from_pretrained_kwargs: {},
    },
    false,
  ],
  [
    "the model was not TransformerLens'",
    {
      sae_lens_training_version: "3.11.0",
      model_class_name: "HookedMamba",
    },
    false,
  ],
];

test.each(centring)("parseSaelensConfig() knows whether writes were centred where %s", (_, keys, wanted) => {
  expect(originOf(keys).centredWrites).toBe(wanted);
});

test.each([
  ["release-1", true],
  ["release-2", true],
  ["release-3", true],
  ["standard-none", undefined],
])("parseSaelensConfig() knows whether writes were centred for the file of %s", async (name, wanted) => {
  const fileName = `saelens/${name}/cfg.json`;
  const config = configOf(parseJsonObject(await readFixture(fileName), fileName), fileName);
  expect(parseSaelensConfig(config).origin.centredWrites).toBe(wanted);
});

test("parseSaelensConfig() reads what decides how activations are read, from metadata or beside the rest", async () => {
  const reading = {
    exclude_special_tokens: [0, 50256],
    seqpos_slice: [5, null, 2],
    hook_head_index: 3,
    dataset_path: "Skylion007/openwebtext",
  };
  const wanted = {
    excludeSpecialTokens: [0, 50256],
    seqposSlice: [5, null, 2],
    headIndex: 3,
    datasetPath: "Skylion007/openwebtext",
  };
  expect(originOf(reading)).toMatchObject(wanted);
  const metadata = { sae_lens_version: "6.18.0", ...reading };
  expect(originOf({ metadata })).toMatchObject(wanted);
  expect((await openSae(saelensFiles({ config: { metadata } }))).origin).toMatchObject(wanted);
});

test("parseSaelensConfig() leaves out what the file does not say, and slices that leave nothing out", () => {
  for (const keys of [{}, { seqpos_slice: [null], hook_head_index: null, exclude_special_tokens: null }])
    for (const key of ["excludeSpecialTokens", "seqposSlice", "headIndex", "datasetPath", "centredWrites"])
      expect(originOf(keys)).not.toHaveProperty(key);
  expect(originOf({ exclude_special_tokens: false }).excludeSpecialTokens).toBe(false);
});

test("parseSaelensConfig() refuses what is no list of tokens and no slice", () => {
  for (const keys of [
    { exclude_special_tokens: "bos" },
    { exclude_special_tokens: [1.5] },
    { exclude_special_tokens: [-1] },
    { seqpos_slice: 5 },
    { seqpos_slice: [] },
    { seqpos_slice: [1, 2, 3, 4] },
    { seqpos_slice: ["1"] },
    { dataset_path: 3 },
  ])
    expect(() => originOf(keys)).toThrow(FormatError);
});

test("parseSaelensConfig() warns of a model that was loaded with options, but not of one left as it is", () => {
  const warningsOf = (model_from_pretrained_kwargs: object) =>
    originOf({ model_from_pretrained_kwargs }).warnings;
  expect(warningsOf({ center_writing_weights: false })).toEqual([]);
  expect(warningsOf({ center_writing_weights: true })).toEqual([expect.stringContaining("loaded with")]);
  expect(warningsOf({ fold_value_biases: true })).toEqual([expect.stringContaining("loaded with")]);
});
