import { FormatError } from "@saestitch/core";
import { expect, test } from "vitest";
import { type CaptureManifest, captureSchema, encodeCaptureManifest } from "./capture-manifest.ts";
import { parseCaptureManifest } from "./read-capture-manifest.ts";

const manifest: CaptureManifest = {
  schema: captureSchema,
  model: { location: "model.onnx", sha256: "m" },
  hook: null,
  tensor: "/h",
  d: 3,
  dtype: "float16",
  processing: { centred: true },
  context: 9,
  bos: true,
  arrangement: "packed",
  rest: "continue",
  limit: null,
  tokenizer: { location: "tokenizer.json", sha256: "t" },
  text: { location: "a.txt", files: [{ name: "a.txt", sha256: "x" }] },
  batchTokens: 1024,
  lookAhead: 32,
  shardRows: 32768,
  engine: "none",
  tokens: 2,
  documents: 1,
  excluded: 1,
  bytesPerToken: 100.5,
  complete: true,
  shards: [
    { name: "shard-00000.safetensors", sha256: "s", bytes: 201, rows: 2, windows: 1, lastDocument: 0 },
  ],
  checksum: { windows: [[0, 5]], seed: 1, norms: [1, 2], projections: [0.5, -0.25] },
};

const parse = (changed: object) =>
  parseCaptureManifest(encodeCaptureManifest({ ...manifest, ...changed }), "capture.json");

test("parseCaptureManifest() reads what encodeCaptureManifest() writes", () => {
  expect(parse({})).toEqual(manifest);
  const named = { hook: "blocks.0.hook_resid_pre", limit: 50 };
  expect(parse(named)).toEqual({ ...manifest, ...named });
});

test("parseCaptureManifest() refuses what is missing or of another kind, naming it", () => {
  const { checksum, shards } = manifest;
  const wrong: [object, RegExp][] = [
    [{ schema: "saestitch.capture/2" }, /schema "saestitch.capture\/2"/],
    [{ model: { location: "m" } }, /"model" of capture.json has no "sha256"/],
    [{ d: 0 }, /0 under "d"/],
    [{ dtype: "float8" }, /"float8" under "dtype", expected one of float16, bfloat16, float32/],
    [{ processing: {} }, /has no "centred"/],
    [{ bos: "yes" }, /"yes" under "bos"/],
    [{ arrangement: "__proto__" }, /under "arrangement"/],
    [{ tokens: -1 }, /-1 under "tokens"/],
    [{ shards: {} }, /an object under "shards"/],
    [{ shards: [7] }, /under "shards", expected a list of objects/],
    [{ shards: [{ ...shards[0], rows: 1.5 }] }, /member 0 of "shards" of capture.json has 1.5 under "rows"/],
    [{ checksum: { ...checksum, windows: [[-1]] } }, /expected a list of lists of token ids/],
    [{ checksum: { ...checksum, norms: [1] } }, /1 norms and 2 projections for 2 tokens/],
    [{ checksum: { ...checksum, norms: [1, 2, 3], projections: [1, 2, 3] } }, /3 norms/],
  ];
  for (const [change, message] of wrong) {
    expect(() => parse(change)).toThrow(FormatError);
    expect(() => parse(change)).toThrow(message);
  }
  expect(() => parseCaptureManifest(new TextEncoder().encode("[]"), "c.json")).toThrow(FormatError);
});
