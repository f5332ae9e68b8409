import { type SaeOrigin, UnsupportedError } from "@saestitch/core";
import { describe, expect, test } from "vitest";
import { readingOf } from "./sae-reading.ts";

const gpt2 = { normalization: "layer", hasBos: true } as const;

const origin = (said: Partial<SaeOrigin> = {}): SaeOrigin => ({
  dialect: "saelens",
  location: "saes/768",
  hook: "blocks.8.hook_resid_pre",
  ...said,
});

test("readingOf() follows what the file of an SAE says, and says so", () => {
  const reading = readingOf(
    [origin({ contextSize: 64, prependBos: false, centredWrites: true, datasetPath: "openwebtext" })],
    gpt2,
  );
  expect(reading).toEqual({
    hook: "blocks.8.hook_resid_pre",
    context: 64,
    bos: false,
    processing: { centred: true },
    remarks: [
      "Hook: blocks.8.hook_resid_pre, as saes/768 says.",
      "Context: 64 tokens, as saes/768 says.",
      "Beginning of windows: no BOS, as saes/768 says.",
      "The model of saes/768 had its writing weights centred: the mean over d is subtracted from each activation, because " +
        "every LayerNorm that reads the residual stream takes its mean off, so only the hook itself changes.",
      "saes/768 was trained on the text openwebtext.",
    ],
  });
});

test("readingOf() chooses by default what no file says, and says so", () => {
  const reading = readingOf([origin()], gpt2);
  expect(reading).toMatchObject({ context: 128, bos: true, processing: { centred: false } });
  expect(reading.remarks).toContain("Context: 128 tokens, by default.");
  expect(reading.remarks).toContain("Beginning of windows: BOS, by default.");
  expect(reading.remarks.at(-1)).toMatch(/taken as they are: saes\/768 does not say whether/);
  expect(readingOf([origin()], { ...gpt2, hasBos: false }).bos).toBe(false);
  expect(readingOf([origin()], { ...gpt2, longestContext: 64 }).context).toBe(64);
  expect(readingOf([origin({ contextSize: 256 })], { ...gpt2, longestContext: 64 }).context).toBe(256);
});

test("readingOf() without an SAE takes what is given, and names the hook as missing", () => {
  expect(readingOf([], gpt2, { hook: "x", context: 5, bos: false, centred: true })).toEqual({
    hook: "x",
    context: 5,
    bos: false,
    processing: { centred: true },
    remarks: [
      "Hook: x, as given.",
      "Context: 5 tokens, as given.",
      "Beginning of windows: no BOS, as given.",
      "Activations are centred over d, as given.",
    ],
  });
  expect(() => readingOf([], gpt2)).toThrow(/no hook is given/);
  const { hook: _, ...without } = origin();
  expect(() => readingOf([without], gpt2)).toThrow(/saes\/768 does not say which hook/);
});

test("readingOf() lets what is given stand against what a file says, and says so", () => {
  const { remarks, context } = readingOf([origin({ contextSize: 64 })], gpt2, { context: 32 });
  expect(context).toBe(32);
  expect(remarks).toContain("Context: 32 tokens, as given, although saes/768 says 64 tokens.");
});

describe("centring", () => {
  const centredAt = (hook: string, normalization: "layer" | "rms" | "unknown") =>
    readingOf([origin({ hook, centredWrites: true })], { normalization, hasBos: true });

  test("is done where it changes the hook alone, and only there", () => {
    expect(centredAt("blocks.3.hook_mlp_out", "layer").processing.centred).toBe(true);
    for (const [hook, normalization, reason] of [
      ["blocks.3.attn.hook_z", "layer", /hook_z is not written to the residual stream/],
      ["blocks.3.hook_resid_pre", "rms", /TransformerLens centres no such model/],
      ["blocks.3.hook_resid_pre", "unknown", /is not known/],
    ] as const) {
      const { processing, remarks } = centredAt(hook, normalization);
      expect(processing.centred).toBe(false);
      expect(remarks.join(" ")).toMatch(/activations are taken as they are, because/);
      expect(remarks.join(" ")).toMatch(reason);
    }
  });

  test("comes with a word on folded value biases where they matter", () => {
    const biases = (hook: string) => /value biases/.test(centredAt(hook, "layer").remarks.join(" "));
    expect(biases("blocks.3.attn.hook_z")).toBe(true);
    expect(biases("blocks.3.hook_resid_pre")).toBe(false);
  });

  test("is not done where the file says not, or the user", () => {
    expect(readingOf([origin({ centredWrites: false })], gpt2).processing.centred).toBe(false);
    const { processing, remarks } = readingOf([origin({ centredWrites: true })], gpt2, { centred: false });
    expect(processing.centred).toBe(false);
    expect(remarks).toContain("Activations are not centred, as given.");
  });
});

describe("several SAEs", () => {
  const other = (said: Partial<SaeOrigin>) => origin({ location: "saes/1536", ...said });

  test("may each say a part", () => {
    const reading = readingOf([origin({ contextSize: 64 }), other({ centredWrites: true })], gpt2);
    expect(reading).toMatchObject({ context: 64, processing: { centred: true } });
    expect(reading.remarks).toContain("Context: 64 tokens, as saes/768 says.");
  });

  test("that disagree are refused, both named", () => {
    for (const [one, two, message] of [
      [
        {},
        { hook: "blocks.9.hook_resid_pre" },
        /hook differs, blocks\.8.* says saes\/768, blocks\.9.* says saes\/1536/,
      ],
      [{ contextSize: 64 }, { contextSize: 128 }, /64 tokens says saes\/768, 128 tokens says saes\/1536/],
      [{ prependBos: true }, { prependBos: false }, /BOS says saes\/768, no BOS says saes\/1536/],
      [
        { centredWrites: true },
        { centredWrites: false },
        /centred says saes\/768, not centred says saes\/1536/,
      ],
    ] as const) {
      const read = () => readingOf([origin(one), other(two)], gpt2);
      expect(read).toThrow(UnsupportedError);
      expect(read).toThrow(message);
    }
  });

  test("may call one place by two names", () => {
    const reading = readingOf([origin(), other({ hook: "blocks.7.hook_resid_post" })], gpt2);
    expect(reading.hook).toBe("blocks.8.hook_resid_pre");
  });

  test("that disagree can be read as given", () => {
    const saes = [origin({ contextSize: 64 }), other({ contextSize: 128 })];
    expect(readingOf(saes, gpt2, { context: 128 }).context).toBe(128);
  });
});

test("readingOf() says what of a file is not followed", () => {
  const { remarks } = readingOf([origin({ excludeSpecialTokens: false, seqposSlice: [5, null, 2] })], gpt2);
  expect(remarks.join(" ")).toMatch(/trained on special tokens too; .* positions 5::2 of a context/);
  const listed = readingOf([origin({ excludeSpecialTokens: [0, 7] })], gpt2).remarks;
  expect(listed.join(" ")).toMatch(/without the tokens 0, 7/);
});

test("readingOf() refuses an SAE of a single head", () => {
  const read = () => readingOf([origin({ hook: "blocks.3.attn.hook_z", headIndex: 2 })], gpt2);
  expect(read).toThrow(UnsupportedError);
  expect(read).toThrow(/saes\/768: it reads head 2/);
});
