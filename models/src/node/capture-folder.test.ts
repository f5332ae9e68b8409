import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataError, FormatError, ShapeError, seededRandom } from "@saestitch/core";
import { openActivations } from "@saestitch/core/node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { collectRows } from "../../../core/src/activations/activation-source.conformance.ts";
import { numberDocuments, numberTokenizer } from "../../test-support/number-tokenizer.ts";
import { plainActivations, prefixModel } from "../../test-support/prefix-model.ts";
import { verifyCapture } from "../capture/verify-capture.ts";
import { tokenWindows } from "../tokens/token-windows.ts";
import {
  type CaptureFolderOptions,
  type CaptureInputs,
  captureToFolder,
  readCapture,
} from "./capture-folder.ts";

const random = seededRandom(11);
const documents = Array.from({ length: 40 }, () =>
  Array.from({ length: Math.floor(16 * random()) }, () => 1 + Math.floor(90 * random())),
);
const options: CaptureFolderOptions = {
  context: 9,
  bos: true,
  arrangement: "documents",
  batchTokens: 32,
  lookAhead: 3,
  shardRows: 50,
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "saestitch-capture-"));
});
afterEach(() => rm(folder, { recursive: true }));

function inputs({ scale = 1 } = {}): CaptureInputs & { readonly model: ReturnType<typeof prefixModel> } {
  const model = prefixModel({ scale });
  return {
    model,
    hook: model.hook,
    tokenizer: numberTokenizer,
    text: { location: "stories.txt", documents: () => numberDocuments(documents) },
    hashes: { model: "m1", tokenizer: "t1", text: [{ name: "stories.txt", sha256: "x1" }] },
  };
}

async function windowsOf(made: CaptureFolderOptions) {
  const windows = [];
  for await (const window of tokenWindows(numberDocuments(documents), numberTokenizer, made))
    windows.push(window);
  return windows;
}

/** Every file of a folder with its bytes. */
async function contents(path: string): Promise<Record<string, string>> {
  const names = (await readdir(path)).sort();
  const entries = names.map(async (name) => [name, await readFile(join(path, name), "hex")] as const);
  return Object.fromEntries(await Promise.all(entries));
}

test("captureToFolder() writes shards of whole windows that openActivations() reads", async () => {
  const manifest = await captureToFolder(folder, inputs(), { ...options, dtype: "float32" });
  const windows = await windowsOf(options);
  const source = await openActivations(folder);
  try {
    const rows = await collectRows(source);
    expect([...rows.activations]).toEqual(
      windows.flatMap(({ tokenIds }) => plainActivations(tokenIds, 3).flat()),
    );
    expect([...rows.tokenIds!]).toEqual(windows.flatMap(({ tokenIds }) => [...tokenIds]));
    expect([...rows.documentIds!]).toEqual(windows.flatMap(({ documentIds }) => [...documentIds]));
    expect([...rows.excluded!]).toEqual(windows.flatMap(({ excluded }) => [...excluded]));
    expect(source.files.length).toBe(manifest.shards.length);
  } finally {
    await source.close();
  }
  expect(manifest.shards.length).toBeGreaterThan(3);
  for (const { rows } of manifest.shards.slice(0, -1)) {
    expect(rows).toBeGreaterThanOrEqual(50);
    expect(rows).toBeLessThan(59);
  }
});

test("captureToFolder() says in capture.json what was captured, and how", async () => {
  const manifest = await captureToFolder(folder, inputs(), { ...options, limit: 120 });
  expect(await readCapture(folder)).toEqual(manifest);
  expect(manifest).toMatchObject({
    schema: "saestitch.capture/1",
    model: { location: "a plain model", sha256: "m1" },
    hook: "blocks.0.hook_resid_post",
    tensor: "/h",
    d: 3,
    dtype: "float16",
    processing: { centred: false },
    context: 9,
    bos: true,
    arrangement: "documents",
    rest: "continue",
    limit: 120,
    tokenizer: { location: "numbers", sha256: "t1" },
    text: { location: "stories.txt", files: [{ name: "stories.txt", sha256: "x1" }] },
    tokens: 120,
    complete: true,
  });
  const windows = await windowsOf({ ...options, limit: 120 });
  expect(manifest.documents).toBe(new Set(windows.flatMap(({ documentIds }) => [...documentIds])).size);
  expect(manifest.excluded).toBe(windows.length);
  expect(manifest.bytesPerToken).toBeCloseTo(
    manifest.shards.reduce((sum, { bytes }) => sum + bytes, 0) / 120,
    10,
  );
});

test("captureToFolder() interrupted again and again writes the bytes of one that was not", async () => {
  const whole = join(folder, "whole");
  const parts = join(folder, "parts");
  await captureToFolder(whole, inputs(), { ...options, arrangement: "packed" });
  let runs = 0;
  let complete = false;
  while (!complete) {
    const stop = new AbortController();
    let tokens = 0;
    const onProgress = (progress: { readonly tokens: number }) => {
      expect(progress.tokens).toBeGreaterThan(tokens);
      tokens = progress.tokens;
      // In the middle of a shard.
      if (runs < 3 && tokens > 80 * (runs + 1)) stop.abort();
    };
    const manifest = await captureToFolder(parts, inputs(), {
      ...options,
      arrangement: "packed",
      signal: stop.signal,
      onProgress,
    });
    ({ complete } = manifest);
    expect(await readCapture(parts)).toEqual(manifest);
    runs++;
  }
  expect(runs).toBe(4);
  expect(await contents(parts)).toEqual(await contents(whole));
});

test("captureToFolder() interrupted before its first shard rejects and leaves nothing", async () => {
  await expect(
    captureToFolder(folder, inputs(), { ...options, signal: AbortSignal.abort(new Error("stopped")) }),
  ).rejects.toThrow("stopped");
  expect(await readdir(folder)).toEqual([]);
});

test("captureToFolder() that stores nothing takes the folder away that it made, and no other", async () => {
  const stopped = { ...options, signal: AbortSignal.abort(new Error("stopped")) };
  await expect(captureToFolder(join(folder, "a/b"), inputs(), stopped)).rejects.toThrow("stopped");
  expect(await readdir(join(folder, "a"))).toEqual([]);
  await expect(captureToFolder(join(folder, "a"), inputs(), stopped)).rejects.toThrow("stopped");
  expect(await readdir(folder)).toEqual(["a"]);
});

test("captureToFolder() does not go on with a model that gives something else under the same hashes", async () => {
  const interrupted = new AbortController();
  const onProgress = ({ tokens }: { readonly tokens: number }) => {
    if (tokens > 60) interrupted.abort();
  };
  await captureToFolder(folder, inputs(), { ...options, signal: interrupted.signal, onProgress });
  const before = await contents(folder);
  const other = captureToFolder(folder, inputs({ scale: 1.01 }), options);
  await expect(other).rejects.toThrow(DataError);
  await expect(other).rejects.toThrow(/row 0 is not what was captured/);
  expect(await contents(folder)).toEqual(before);
});

test("captureToFolder() goes on after a failure of the model", async () => {
  const failing = inputs();
  let calls = 0;
  const model = {
    ...failing.model,
    activations: (...args: Parameters<typeof failing.model.activations>) =>
      ++calls === 9 ? Promise.reject(new Error("no memory")) : failing.model.activations(...args),
  };
  const resumed = join(folder, "resumed");
  const whole = join(folder, "whole");
  await expect(captureToFolder(resumed, { ...failing, model }, options)).rejects.toThrow("no memory");
  expect((await readCapture(resumed))?.complete).toBe(false);
  await captureToFolder(resumed, inputs(), options);
  await captureToFolder(whole, inputs(), options);
  expect(await contents(resumed)).toEqual(await contents(whole));
});

test("captureToFolder() of what is complete runs nothing", async () => {
  const first = await captureToFolder(folder, inputs(), options);
  const again = inputs();
  expect(await captureToFolder(folder, again, options)).toEqual(first);
  expect(again.model.batches).toEqual([]);
});

test("captureToFolder() refuses to go on with another capture, naming what differs", async () => {
  await captureToFolder(folder, inputs(), options);
  const changed: [Partial<CaptureFolderOptions>, RegExp][] = [
    [{ context: 8 }, /its context is 9, not 8/],
    [{ bos: false }, /its bos is true, not false/],
    [{ arrangement: "packed" }, /its arrangement is documents, not packed/],
    [{ rest: "drop" }, /its rest is continue, not drop/],
    [{ limit: 70 }, /its limit is none, not 70/],
    [{ dtype: "float32" }, /its dtype is float16, not float32/],
    [{ processing: { centred: true } }, /its centring of activations is false, not true/],
    [{ shardRows: 60, batchTokens: 31 }, /its batchTokens is 32, not 31; its shardRows is 50, not 60/],
  ];
  for (const [change, message] of changed) {
    const attempt = captureToFolder(folder, inputs(), { ...options, ...change });
    await expect(attempt).rejects.toThrow(DataError);
    await expect(attempt).rejects.toThrow(message);
  }
  const { hashes, ...rest } = inputs();
  for (const [change, message] of [
    [{ model: "m2" }, /its model is m1, not m2/],
    [{ tokenizer: "t2" }, /its tokenizer is t1, not t2/],
    [{ text: [{ name: "stories.txt", sha256: "x2" }] }, /its text is x1, not x2/],
  ] as const)
    await expect(
      captureToFolder(folder, { ...rest, hashes: { ...hashes, ...change } }, options),
    ).rejects.toThrow(message);
  // Where things lie does not matter.
  const text = { ...rest.text, location: "elsewhere/stories.txt" };
  await captureToFolder(folder, { ...rest, text, hashes }, options);
});

test("captureToFolder() refuses folders of other things, and shards that were changed", async () => {
  await writeFile(join(folder, "other.npy"), "");
  await expect(captureToFolder(folder, inputs(), options)).rejects.toThrow(
    /holds other\.npy, but no capture/,
  );
  await expect(captureToFolder(join(folder, "other.npy"), inputs(), options)).rejects.toThrow(DataError);

  const changed = join(folder, "changed");
  const { shards } = await captureToFolder(changed, inputs(), options);
  const shard = join(changed, shards[1].name);
  const bytes = await readFile(shard);
  bytes[bytes.length - 1] ^= 1;
  await writeFile(shard, bytes);
  await expect(captureToFolder(changed, inputs(), options)).rejects.toThrow(/shard-00001.* has been changed/);
  await rm(shard);
  await expect(captureToFolder(changed, inputs(), options)).rejects.toThrow(DataError);
  await writeFile(join(changed, "capture.json"), "{");
  await expect(captureToFolder(changed, inputs(), options)).rejects.toThrow(FormatError);
});

test("captureToFolder() refuses what its type cannot hold", async () => {
  const large = () => inputs({ scale: 1e5 });
  const half = captureToFolder(folder, large(), options);
  await expect(half).rejects.toThrow(DataError);
  await expect(half).rejects.toThrow(/as float16, which holds at most 65504: take float32/);
  await captureToFolder(join(folder, "b"), large(), { ...options, dtype: "bfloat16" });
  const nan = captureToFolder(join(folder, "c"), inputs({ scale: Number.NaN }), options);
  await expect(nan).rejects.toThrow(/gives NaN at token 0 \(id 0\) of a window of document \d+/);
  await expect(captureToFolder(folder, inputs(), { ...options, shardRows: 0 })).rejects.toThrow(ShapeError);
});

test.each(["float16", "bfloat16", "float32"] as const)(
  "verifyCapture() recognises the rows stored as %s, and notices changed ones",
  async (dtype) => {
    const manifest = await captureToFolder(folder, inputs(), { ...options, dtype });
    const source = await openActivations(folder);
    try {
      const { rows, largest } = await verifyCapture(source, manifest);
      expect(rows).toBe(manifest.shards[0].rows);
      expect(largest).toBeLessThan({ float16: 2 ** -11, bfloat16: 2 ** -8, float32: 1e-15 }[dtype]);
    } finally {
      await source.close();
    }
    await rm(folder, { recursive: true });
    await captureToFolder(folder, inputs({ scale: 1.01 }), { ...options, dtype });
    const other = await openActivations(folder);
    try {
      await expect(verifyCapture(other, manifest)).rejects.toThrow(/row \d is not what was captured/);
      await expect(verifyCapture(other, { ...manifest, tokens: 7 })).rejects.toThrow(/but 7 of width 3/);
      const [first, ...others] = manifest.checksum.windows;
      const checksum = { ...manifest.checksum, windows: [[...first.slice(0, -1), 99], ...others] };
      await expect(verifyCapture(other, { ...manifest, checksum })).rejects.toThrow(/but 99 was captured/);
    } finally {
      await other.close();
    }
  },
);

test("readCapture() knows a folder that is no capture from one that is damaged", async () => {
  expect(await readCapture(folder)).toBeUndefined();
  expect(await readCapture(join(folder, "absent"))).toBeUndefined();
  await writeFile(join(folder, "capture.json"), '{"schema": "other"}');
  await expect(readCapture(folder)).rejects.toThrow(/schema "other", expected "saestitch.capture\/1"/);
});
