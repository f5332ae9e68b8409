import { UnsupportedError } from "@saestitch/core";
import { expect, test } from "vitest";
import type { TensorInfo } from "../engine/engine.ts";
import type { TokenBatch } from "../tokens/token-batch.ts";
import { languageFeeds } from "./language-feeds.ts";

const batch: TokenBatch = {
  rows: 2,
  length: 3,
  tokenIds: Int32Array.of(7, 8, 9, 4, 5, 0),
  lengths: Int32Array.of(3, 2),
};
const info = (name: string, shape: TensorInfo["shape"], type: TensorInfo["type"] = "int64"): TensorInfo => ({
  name,
  type,
  shape,
});
const big = (...values: number[]) => BigInt64Array.from(values, BigInt);
const perToken = ["batch", "sequence"];

test("languageFeeds() feeds tokens, the mask of padding, positions from 0, and types of tokens", () => {
  const names = ["input_ids", "attention_mask", "position_ids", "token_type_ids"];
  const feeds = languageFeeds(
    names.map((name) => info(name, perToken)),
    batch,
  );
  const of = (...values: number[]) => ({ type: "int64", dims: [2, 3], data: big(...values) });
  expect(feeds).toEqual({
    input_ids: of(7, 8, 9, 4, 5, 0),
    attention_mask: of(1, 1, 1, 1, 1, 0),
    position_ids: of(0, 1, 2, 0, 1, 2),
    token_type_ids: of(0, 0, 0, 0, 0, 0),
  });
});

test("languageFeeds() feeds what a graph asks for, in the type it asks for, and nothing else", () => {
  expect(languageFeeds([], batch)).toEqual({});
  const feeds = languageFeeds(
    [info("input_ids", perToken, "int32"), info("attention_mask", perToken, "bool")],
    batch,
  );
  expect(feeds).toEqual({
    input_ids: { type: "int32", dims: [2, 3], data: Int32Array.of(7, 8, 9, 4, 5, 0) },
    attention_mask: { type: "bool", dims: [2, 3], data: Uint8Array.of(1, 1, 1, 1, 1, 0) },
  });
});

test("languageFeeds() feeds a past of no tokens: keys and values, positions in the cache, and which branch", () => {
  const past = ["batch", 4, "past_sequence", 8];
  expect(
    languageFeeds(
      [
        info("past_key_values.0.key", past, "float32"),
        info("past_key_values.0.value", past, "float16"),
        // Both in one tensor, so that the batch is not the first axis.
        info("past_1", [2, "batch", 4, "past_sequence", 8], "float32"),
        info("cache_position", ["sequence"]),
        info("use_cache_branch", [1], "bool"),
        info("num_logits_to_keep", []),
      ],
      batch,
    ),
  ).toEqual({
    "past_key_values.0.key": { type: "float32", dims: [2, 4, 0, 8], data: new Float32Array() },
    "past_key_values.0.value": { type: "float16", dims: [2, 4, 0, 8], data: new Uint16Array() },
    past_1: { type: "float32", dims: [2, 2, 4, 0, 8], data: new Float32Array() },
    cache_position: { type: "int64", dims: [3], data: big(0, 1, 2) },
    use_cache_branch: { type: "bool", dims: [1], data: Uint8Array.of(0) },
    num_logits_to_keep: { type: "int64", dims: [], data: big(0) },
  });
});

test.each([
  [
    info("pixel_values", ["batch", 3, 224, 224], "float32"),
    /input "pixel_values" \[batch, 3, 224, 224\]: expe/,
  ],
  [info("past_sequence_length", [1], "int64"), /input "past_sequence_length" \[1\]: expected input_ids/],
  [info("inputs_embeds", [...perToken, 32], "float32"), /input "inputs_embeds".*expected input_ids/],
  [info("attention_mask", perToken, "float32"), /input "attention_mask" with float32: expected int64/],
])("languageFeeds() refuses %o, naming it", (input, reason) => {
  const feed = () => languageFeeds([info("input_ids", perToken), input], batch);
  expect(feed).toThrow(UnsupportedError);
  expect(feed).toThrow(reason);
});
