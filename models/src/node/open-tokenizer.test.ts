import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FormatError } from "@saestitch/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openTokenizerAt } from "./open-tokenizer.ts";

const fixture = fileURLToPath(
  new URL("../../../fixtures/tokenizers/byte-level.tokenizer.json", import.meta.url),
);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "saestitch-tokenizer-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("openTokenizerAt() reads a folder, with BOS from the files beside tokenizer.json", async () => {
  await cp(fixture, join(folder, "tokenizer.json"));
  expect(await openTokenizerAt(folder)).not.toHaveProperty("bos");
  await writeFile(join(folder, "config.json"), '{"bos_token_id": 0, "eos_token_id": 4}');
  expect(await openTokenizerAt(folder)).toMatchObject({ bos: 0, eos: 4 });
  await writeFile(join(folder, "tokenizer_config.json"), '{"bos_token": {"content": "!"}}');
  const tokenizer = await openTokenizerAt(folder);
  expect(tokenizer.decode([tokenizer.bos!])).toBe("!");
  expect(tokenizer.location).toBe(`tokenizer.json of ${folder}`);
  expect(tokenizer.sha256).toBe(
    createHash("sha256")
      .update(await readFile(fixture))
      .digest("hex"),
  );
});

test("openTokenizerAt() reads a file of any name", async () => {
  const tokenizer = await openTokenizerAt(fixture);
  expect(tokenizer.decode(tokenizer.encode("the cat"))).toBe("the cat");
});

test("openTokenizerAt() says what is there where no tokenizer.json is", async () => {
  const opened = () => openTokenizerAt(folder);
  await expect(opened()).rejects.toThrow(FormatError);
  await expect(opened()).rejects.toThrow(/there is no tokenizer\.json/);
  await writeFile(join(folder, "tokenizer.model"), "");
  await expect(opened()).rejects.toThrow(/it has tokenizer\.model, but no tokenizer\.json; write one/);
  await expect(openTokenizerAt(join(folder, "absent"))).rejects.toThrow(FormatError);
});

test("openTokenizerAt() names the damaged file", async () => {
  await cp(fixture, join(folder, "tokenizer.json"));
  await writeFile(join(folder, "tokenizer_config.json"), "{");
  await expect(openTokenizerAt(folder)).rejects.toThrow(/tokenizer_config\.json of .* is not JSON/);
  await writeFile(join(folder, "tokenizer.json"), "[]");
  await expect(openTokenizerAt(folder)).rejects.toThrow(FormatError);
});
