import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { collectRows, describeActivationSource } from "../activations/activation-source.conformance.ts";
import { FormatError } from "../errors.ts";
import { openNpy } from "../formats/npy.ts";
import { type OpenActivations, openActivations } from "./activation-folder.ts";
import { openFile } from "./file-source.ts";

const fixtures = fileURLToPath(new URL("../../../fixtures/activations/", import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "saestitch-activations-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function golden(name: string): Promise<Float32Array> {
  const file = await openFile(join(fixtures, `${name}.activations.npy`));
  const values = await (await openNpy(file)).readFloat32();
  await file.close();
  return values;
}

test.each([
  ["shards", ["shard-1.safetensors", "shard-2.safetensors", "shard-10.safetensors"], "shards"],
  ["saelens-float32", ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"], "saelens-float32"],
  ["saelens-float16", ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"], "saelens-float16"],
  ["npy/rows.npy", ["", ".document_ids.npy", ".token_ids.npy"], "shards"],
  ["arrow/file-format.arrow", [""], "arrow"],
  ["shards/shard-1.safetensors", [""], undefined],
])("openActivations() reads %s", async (path, names, expected) => {
  const source = await openActivations(join(fixtures, path));
  const isFile = names[0] === "";
  const stem = join(fixtures, path.replace(/\.npy$/, ""));
  expect(source.files).toEqual(
    names.map((name) =>
      name === "" ? join(fixtures, path) : isFile ? stem + name : join(fixtures, path, name),
    ),
  );
  expect(source.location).toBe(join(fixtures, path));
  const rows = await collectRows(source, { batchRows: 7 });
  if (expected !== undefined) expect(rows.activations).toEqual(await golden(expected));
  expect(rows.documentIds?.length).toBe(source.rows);
  await source.close();
});

test("openActivations() takes a folder of Arrow files without a list of them in the order of their names", async () => {
  for (const i of [1, 0]) {
    const name = `data-0000${i}-of-00002.arrow`;
    await copyFile(join(fixtures, "saelens-float32", name), join(folder, `part-${i === 0 ? 9 : 10}.arrow`));
  }
  await mkdir(join(folder, "a subfolder.npy"));
  await writeFile(join(folder, "notes.txt"), "not activations");
  const source = await openActivations(folder);
  expect((await collectRows(source)).activations).toEqual(await golden("saelens-float32"));
  await source.close();
});

test("openActivations() takes the order of state.json before that of names", async () => {
  for (const i of [0, 1]) {
    const name = `data-0000${i}-of-00002.arrow`;
    await copyFile(join(fixtures, "saelens-float32", name), join(folder, name));
  }
  const names = ["data-00001-of-00002.arrow", "data-00000-of-00002.arrow"];
  await writeFile(
    join(folder, "state.json"),
    JSON.stringify({ _data_files: names.map((filename) => ({ filename })) }),
  );
  const source = await openActivations(folder);
  const all = await golden("saelens-float32");
  const half = all.length / 2;
  expect((await collectRows(source)).activations.subarray(0, half)).toEqual(all.subarray(half));
  await source.close();
});

test("openActivations() refuses reads once it is closed", async () => {
  const source = await openActivations(join(fixtures, "shards"));
  await source.close();
  await expect(collectRows(source)).rejects.toThrow(FormatError);
});

test("openActivations() says what it found where there are no activations", async () => {
  await expect(openActivations(join(folder, "missing"))).rejects.toThrow(
    /missing: there is no such file or folder/,
  );
  await expect(openActivations(folder)).rejects.toThrow(/holds no activations.*found nothing/);
  await writeFile(join(folder, "a.txt"), "");
  await mkdir(join(folder, "train"));
  await expect(openActivations(folder)).rejects.toThrow(
    /expected \.safetensors or \.npy.*found a\.txt, train\//,
  );
  await expect(openActivations(join(folder, "a.txt"))).rejects.toThrow(/a\.txt as activations: expected/);
  await writeFile(join(folder, "a.npy"), "");
  await writeFile(join(folder, "a.safetensors"), "");
  await expect(openActivations(folder)).rejects.toThrow(/several kinds \(\.safetensors, \.npy\)/);
  await writeFile(join(folder, "cfg.json"), "{}");
  await expect(openActivations(folder)).rejects.toThrow(/holds a sparse autoencoder/);
  for (const path of [folder, join(folder, "a.txt"), join(folder, "a.npy")])
    await expect(openActivations(path)).rejects.toThrow(FormatError);
});

test("openActivations() names the file when state.json lists one that is not there, or is no list", async () => {
  await writeFile(join(folder, "state.json"), '{"_data_files": [{"filename": "gone.arrow"}]}');
  await expect(openActivations(folder)).rejects.toThrow(/gone\.arrow: there is no such file/);
  await writeFile(join(folder, "state.json"), "[]");
  await expect(openActivations(folder)).rejects.toThrow(/state\.json/);
});

const opened: OpenActivations[] = [];
afterAll(() => Promise.all(opened.map((source) => source.close())));

for (const [name, path] of [
  ["a folder of safetensors shards", "shards"],
  ["a folder of SAELens' Arrow cache", "saelens-float32"],
] as const) {
  describeActivationSource(name, async () => {
    const source = await openActivations(join(fixtures, path));
    opened.push(source);
    return source;
  });
}
