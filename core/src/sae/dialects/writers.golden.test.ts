import { expect, test } from "vitest";
import { readFixture } from "../../../test-support/fixture.ts";
import { memoryFiles } from "../../../test-support/memory-files.ts";
import { mergedExamples } from "../../../test-support/merged-saes.ts";
import { denseCode, largestDifference } from "../../../test-support/plain-forward.ts";
import { trainedExamples } from "../../../test-support/trained-saes.ts";
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

const merged = mergedExamples().map((example) => ({
  ...example,
  sae: example.merged,
  example: `merged/${example.name}`,
}));
const trained = trainedExamples().map((example) => ({
  ...example,
  layouts: ["saelens"],
  example: `trained/${example.name}`,
}));
const mergedCases = merged.flatMap(inEachLayout);
const trainedCases = trained.flatMap(inEachLayout);
const cases = [...mergedCases, ...trainedCases];
/** Those whose layout can also be read here. */
const readable = cases.filter(({ layout }) => layout !== "dictionary-learning");

function inEachLayout<T extends { readonly layouts: readonly string[]; readonly example: string }>(
  written: T,
) {
  return saeWriters
    .filter(({ name }) => written.layouts.includes(name))
    .map((writer) => ({
      ...written,
      layout: writer.name,
      writer,
      folder: `${written.example}/${writer.name}`,
    }));
}

/** What the library of a layout computed from the files. */
async function goldenOf({ example, layout }: { readonly example: string; readonly layout: string }) {
  const location = `${example}/golden.safetensors`;
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

test("the golden examples cover all layouts, and all activations", () => {
  expect(mergedCases.length).toBe(8);
  const kinds = trainedCases.map(({ sae }) => sae.activation.kind);
  expect([...new Set(kinds)].sort()).toEqual(["batchtopk", "gated", "jumprelu", "relu", "topk"]);
});

test.each(cases)(
  "write() gives the committed files of $folder, byte for byte",
  async ({ writer, folder, sae }) => {
    const files = writer.write(sae);
    expect(files.map(({ name }) => name)).toEqual(writer.fileNames);
    for (const { name, chunks } of files)
      expect(await whole(chunks)).toEqual(await readFixture(`${folder}/${name}`));
  },
);

test.each(cases)(
  "the library of $layout computes from $folder what the SAE written does",
  async (example) => {
    const golden = await goldenOf(example);
    const { code, reconstruction } = await compute(example.sae, golden.x);
    expectSame(code.flat(), golden.code);
    expectSame(reconstruction, golden.reconstruction);
  },
);

test.each(mergedCases)(
  "the library of $layout computes from $folder the codes of the unmerged SAEs",
  async (example) => {
    const golden = await goldenOf(example);
    const codes = await Promise.all(example.sources.map(async (sae) => (await compute(sae, golden.x)).code));
    const { rows } = golden.x;
    const chosen = Array.from({ length: rows }, (_, i) =>
      example.chosen.map(({ sae, latent }) => codes[sae][i][latent]),
    );
    expectSame(chosen.flat(), golden.code);
  },
);

test.each(readable)("openSae() reads $folder as the library does", async (example) => {
  const golden = await goldenOf(example);
  const { code, reconstruction } = await compute(await open(example.writer, example.folder), golden.x);
  expectSame(code.flat(), golden.code);
  expectSame(reconstruction, golden.reconstruction);
});
