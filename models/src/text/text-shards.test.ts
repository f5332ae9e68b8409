import { UnsupportedError } from "@saestitch/core";
import { describe, expect, test } from "vitest";
import { chooseShards, type ShardOptions } from "./text-shards.ts";

const where = "hf:datasets/owner/name@0123";
const choose = (paths: readonly string[], options: ShardOptions = {}) =>
  chooseShards(paths, options, where).paths;

describe("chooseShards()", () => {
  test("takes the training split of the only configuration, in natural order", () => {
    const train = ["data/train-00000-of-00002-1a2b.parquet", "data/train-00001-of-00002-3c4d.parquet"];
    const paths = [train[1], "data/test-00000-of-00001.parquet", train[0]];
    expect(choose(paths)).toEqual(train);
    expect(choose(paths, { splitName: "test" })).toEqual(["data/test-00000-of-00001.parquet"]);
    expect(choose(["b/shard-10.parquet", "b/shard-9.parquet"])).toEqual([
      "b/shard-9.parquet",
      "b/shard-10.parquet",
    ]);
  });

  test("reads configurations from folders", () => {
    const paths = [
      "wikitext-103/train-00000-of-00001.parquet",
      "wikitext-2/test-00000-of-00001.parquet",
      "wikitext-2/train-00000-of-00001.parquet",
    ];
    expect(choose(paths, { config: "wikitext-2" })).toEqual(["wikitext-2/train-00000-of-00001.parquet"]);
    expect(choose(["default/train/0000.parquet", "en/train/0000.parquet"])).toEqual([
      "default/train/0000.parquet",
    ]);
  });

  test.each([
    ["en/train/0000.parquet", "en", "train"],
    ["en/validation_matched/0003.parquet", "en", "validation_matched"],
    ["data/validation-00000-of-00001.parquet", "default", "validation"],
    ["data/dev-00000-of-00001.parquet", "default", "validation"],
    ["plain_text/unsupervised-00000-of-00001.parquet", "plain_text", "unsupervised"],
    ["en/c4-train.00000-of-01024.json.gz", "en", "train"],
    ["wiki.valid.jsonl", "default", "validation"],
    ["TinyStories-train.txt", "default", "train"],
    ["training/part-00000-of-00008.parquet", "default", "train"],
    ["en/test/part-00000-of-00008.parquet", "en", "test"],
    ["data/2013-20/000_00000.parquet", "2013-20", undefined],
    ["data/restrained.parquet", "default", undefined],
  ])("takes %s for configuration %s, split %s", (path, config, splitName) => {
    expect(choose([path], { config, splitName })).toEqual([path]);
    expect(() => choose([path], { config: "another" })).toThrow(`its configurations are: ${config}`);
    expect(() => choose([path], { splitName: "another" })).toThrow(`its splits are: ${splitName ?? "train"}`);
  });

  test("takes files that name no split together, but not beside files that do", () => {
    expect(choose(["a.parquet", "b.parquet"])).toEqual(["a.parquet", "b.parquet"]);
    expect(choose(["a.parquet", "train.parquet"])).toEqual(["train.parquet"]);
  });

  test("takes the only split, whatever it is called", () => {
    expect(choose(["data/test-00000-of-00001.parquet"])).toHaveLength(1);
  });

  test("says whether the hub has converted only the beginning", () => {
    const paths = ["en/partial-train/0000.parquet", "en/test/0000.parquet"];
    expect(chooseShards(paths, {}, where)).toEqual({ paths: [paths[0]], isPartial: true });
    expect(chooseShards(paths, { splitName: "test" }, where)).toEqual({
      paths: [paths[1]],
      isPartial: false,
    });
  });

  test.each([
    [
      ["en/train/0.parquet", "de/train/0.parquet"],
      {},
      `Cannot tell which configuration of ${where} to read: its configurations are: de, en; choose one (--dataset-config)`,
    ],
    [
      ["data/test-00000-of-00001.parquet", "data/dev-00000-of-00001.parquet"],
      {},
      `Cannot tell which split of ${where} to read: its splits are: test, validation; choose one (--dataset-split)`,
    ],
    [
      ["english/train/0.parquet", "german/train/0.parquet"],
      { config: "germn" },
      `${where} has no configuration "germn"; its configurations are: german, english`,
    ],
  ] as const)("refuses to guess among %j", (paths, options, reason) => {
    expect(() => choose(paths, options)).toThrow(UnsupportedError);
    expect(() => choose(paths, options)).toThrow(reason);
  });
});
