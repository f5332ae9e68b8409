import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import { openSafetensors } from "@saestitch/core";
import { openFile } from "@saestitch/core/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { realData } from "../../../core/test-support/real-data.ts";
import { readStories260kManifest, writeStories260k } from "../../test-support/stories260k.ts";

const { folder: data, isThere } = realData();

describe.runIf(isThere)("the folder of the real language model", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "saestitch-stories260k-"));
    await writeStories260k(folder);
  });
  afterAll(() => rm(folder, { recursive: true }));

  test.each(["model.onnx_data", "tokenizer.json"] as const)(
    "has the %s that was checked in Python",
    async (name) => {
      const digest = createHash("sha256").update(await readFile(join(folder, name)));
      expect(digest.digest("hex")).toBe((await readStories260kManifest()).sha256[name]);
    },
  );

  test("has a tokenizer that encodes stories as they were recorded", async () => {
    const read = async (name: string) => JSON.parse(await readFile(join(folder, name), "utf8"));
    const tokenizer = new Tokenizer(await read("tokenizer.json"), await read("tokenizer_config.json"));
    const stories: string[] = JSON.parse(
      await readFile(join(data, "../tinystories/tinystories_1000.json"), "utf8"),
    );
    const file = await openFile(join(data, "activations/shard-00000.safetensors"));
    const shard = await openSafetensors(file);
    const documentIds = Array.from(await shard.readInt32("document_ids"));
    const tokenIds = Array.from(await shard.readInt32("token_ids"));
    await file.close();
    for (let document = 0; document < 50; document++) {
      const recorded = tokenIds.slice(documentIds.indexOf(document), documentIds.lastIndexOf(document) + 1);
      expect(tokenizer.encode(stories[document]).ids.slice(0, 512)).toEqual(recorded);
    }
  });
});
