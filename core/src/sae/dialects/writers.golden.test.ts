import { expect, test } from "vitest";
import { readFixture } from "../../../test-support/fixture.ts";
import { memoryFiles } from "../../../test-support/memory-files.ts";
import { mergedExamples } from "../../../test-support/merged-saes.ts";
import { denseCode, largestDifference } from "../../../test-support/plain-forward.ts";
import { whole } from "../../../test-support/whole.ts";
import { bytesSource } from "../../formats/bytes-source.ts";
import { openSafetensors } from "../../formats/safetensors.ts";
import { referenceKernels } from "../../kernels/reference-kernels.ts";
import { type Matrix, matrix } from "../../tensor/matrix.ts";
import { encode, reconstruct } from "../encode.ts";
import { openSae } from "../open-sae.ts";
import type { Sae } from "../sae.ts";
import type { SaeWriter } from "./writer.ts";
import { saeWriters } from "./writers.ts";

const examples = mergedExamples();
const cases = examples.flatMap((example) =>
  saeWriters
    .filter(({ name }) => example.layouts.includes(name))
    .map((writer) => ({
      ...example,
      layout: writer.name,
      writer,
      folder: `merged/${example.name}/${writer.name}`,
    })),
);
/** Those whose layout can also be read here. */
const readable = cases.filter(({ layout }) => layout !== "dictionary-learning");

/** What the library of a layout computed from the files. */
async function goldenOf(name: string, layout: string) {
  const location = `merged/${name}/golden.safetensors`;
  const golden = await openSafetensors(bytesSource(location, await readFixture(location)));
  const [rows, d] = golden.info("input").shape;
  return {
    x: matrix(rows, d, await golden.readFloat32("input")),
    code: await golden.readFloat32(`${layout}.code`),
    reconstruction: await golden.readFloat32(`${layout}.reconstruction`),
  };
}

async function open(writer: SaeWriter, folder: string): Promise<Sae> {
  const files = writer.fileNames.map(async (name) => [name, await readFixture(`${folder}/${name}`)] as const);
  return openSae(memoryFiles(Object.fromEntries(await Promise.all(files))));
}

async function compute(sae: Sae, x: Matrix) {
  const encoding = await encode(sae, x, referenceKernels);
  const reconstruction = await reconstruct(sae, encoding, referenceKernels);
  return { code: denseCode(encoding.code), reconstruction: reconstruction.values };
}

/** Equal to one part in a million of the largest. */
function expectSame(found: ArrayLike<number>, wanted: ArrayLike<number>): void {
  const scale = Array.from(wanted).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(scale).toBeGreaterThan(1);
  expect(largestDifference(found, wanted)).toBeLessThan(1e-6 * scale);
}

test("the golden examples cover all layouts", () => {
  expect(cases.length).toBe(8);
});

test.each(cases)(
  "write() gives the committed files of $folder, byte for byte",
  async ({ writer, folder, merged }) => {
    const files = writer.write(merged);
    expect(files.map(({ name }) => name)).toEqual(writer.fileNames);
    for (const { name, chunks } of files)
      expect(await whole(chunks)).toEqual(await readFixture(`${folder}/${name}`));
  },
);

test.each(cases)("the library of $layout computes from $folder what the merged SAE does", async (example) => {
  const golden = await goldenOf(example.name, example.layout);
  const { code, reconstruction } = await compute(example.merged, golden.x);
  expectSame(code.flat(), golden.code);
  expectSame(reconstruction, golden.reconstruction);
});

test.each(cases)(
  "the library of $layout computes from $folder the codes of the unmerged SAEs",
  async (example) => {
    const golden = await goldenOf(example.name, example.layout);
    const codes = await Promise.all(example.sources.map(async (sae) => (await compute(sae, golden.x)).code));
    const { rows } = golden.x;
    const chosen = Array.from({ length: rows }, (_, i) =>
      example.chosen.map(({ sae, latent }) => codes[sae][i][latent]),
    );
    expectSame(chosen.flat(), golden.code);
  },
);

test.each(readable)(
  "openSae() reads $folder as the library does",
  async ({ name, layout, writer, folder }) => {
    const golden = await goldenOf(name, layout);
    const { code, reconstruction } = await compute(await open(writer, folder), golden.x);
    expectSame(code.flat(), golden.code);
    expectSame(reconstruction, golden.reconstruction);
  },
);
