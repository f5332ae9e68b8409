import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openActivations } from "@saestitch/core/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collectRows } from "../../../core/src/activations/activation-source.conformance.ts";
import { collect } from "../../../core/test-support/collect.ts";
import { realData } from "../../../core/test-support/real-data.ts";
import { writeStories260k } from "../../test-support/stories260k.ts";
import { modelActivations } from "../capture/model-activations.ts";
import { verifyCapture, verifyCaptureWithModel } from "../capture/verify-capture.ts";
import { lossReport } from "../loss/loss-report.ts";
import { measureLoss } from "../loss/measure-loss.ts";
import type { Hook } from "../model.ts";
import { tokenWindows } from "../tokens/token-windows.ts";
import type { WindowOptions } from "../tokens/window-options.ts";
import { captureToFolder } from "./capture-folder.ts";
import { type OpenedModel, openModel } from "./open-model.ts";
import { type OpenedTokenizer, openTokenizer } from "./open-tokenizer.ts";

const { folder: data, isThere } = realData();

describe.skipIf(!isThere)("a real language model", () => {
  const asRecorded: WindowOptions = { context: 512, bos: true, arrangement: "documents", rest: "drop" };
  let folder: string;
  let opened: OpenedModel;
  let tokenizer: OpenedTokenizer;
  let hook: Hook;
  let stories: readonly string[];
  async function* documents(count = 4) {
    yield* stories.slice(0, count);
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "saestitch-real-capture-"));
    await writeStories260k(folder);
    opened = await openModel(folder);
    tokenizer = await openTokenizer(opened.companion, opened.model.location);
    hook = await opened.model.findHook("blocks.2.hook_resid_post");
    stories = JSON.parse(await readFile(join(dirname(data), "tinystories/tinystories_1000.json"), "utf8"));
  });
  afterAll(async () => {
    await opened.model.close();
    await rm(folder, { recursive: true });
  });

  test("gives the recorded activations of its text again, to 1e-4", async () => {
    const path = join(folder, "captured");
    const { model } = opened;
    const text = { location: "tinystories", documents };
    const hashes = { model: "", tokenizer: tokenizer.sha256, text: [] };
    const manifest = await captureToFolder(
      path,
      { model, hook, tokenizer, text, hashes },
      { ...asRecorded, dtype: "float32", batchTokens: 700 },
    );
    const captured = await openActivations(path);
    const recorded = await openActivations(join(data, "activations-f32.safetensors"));
    try {
      const [ours, theirs] = [await collectRows(captured), await collectRows(recorded)];
      expect(ours.tokenIds).toEqual(theirs.tokenIds);
      expect(ours.documentIds).toEqual(theirs.documentIds);
      const largest = ours.activations.reduce(
        (most, value, p) => Math.max(most, Math.abs(value - theirs.activations[p])),
        0,
      );
      expect(largest).toBeLessThan(1e-4);
      expect((await verifyCapture(captured, manifest)).largest).toBe(0);
      expect((await verifyCaptureWithModel(model, manifest)).largest).toBeLessThan(1e-5);
      const elsewhere = { ...manifest, hook: "blocks.1.hook_resid_post" };
      await expect(verifyCaptureWithModel(model, elsewhere)).rejects.toThrow(
        /row 0 is not what was captured/,
      );
    } finally {
      await captured.close();
      await recorded.close();
    }
  });

  test("has the same activations, bit for bit, from whatever row they are read", async () => {
    const windows = await collect(
      tokenWindows(documents(), tokenizer, { ...asRecorded, context: 64, rest: "continue" }),
    );
    const source = modelActivations(opened.model, hook, windows, { batchTokens: 300, lookAhead: 2 });
    const all = await collectRows(source);
    for (const start of [0, 333, 700]) {
      const part = await collectRows(source, { start, end: start + 150, batchRows: 40 });
      const wanted = all.activations.subarray(start * source.d, (start + 150) * source.d);
      expect(Buffer.from(part.activations.buffer).equals(Buffer.from(wanted.slice().buffer))).toBe(true);
    }
  });

  test("has the loss that is stated beside it, 1.31 nats a token over the first 40 stories", async () => {
    const windows = tokenWindows(documents(40), tokenizer, asRecorded);
    const { original } = lossReport(await measureLoss(opened.model, hook, windows, []));
    expect(original.crossEntropy).toBeGreaterThan(1.305);
    expect(original.crossEntropy).toBeLessThan(1.315);
  });
});
