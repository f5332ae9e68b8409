import { expect, test } from "vitest";
import { foldBlocks } from "./fold-blocks.ts";
import type { HooksDocument } from "./hooks-document.ts";
import { hooksReport } from "./hooks-report.ts";

const plain = { bold: (text: string) => text, dim: (text: string) => text };

const place = (name: string, d = 8) => ({
  name,
  tensor: `/${name}`,
  shape: ["batch", "sequence", d],
  d,
});

const document: HooksDocument = {
  schema: "saestitch.hooks/1",
  location: "a folder/model.onnx",
  engine: "an engine",
  vocabulary: null,
  blocks: 0,
  normalization: "unknown",
  notes: ["no transformer's structure was found"],
  hooks: [{ name: null, tensor: "/a value", shape: ["batch·sequence", 8], d: 8 }],
};

const report = (changes: Partial<HooksDocument>, { width = 60, each = false } = {}) =>
  hooksReport({ ...document, ...changes }, { address: "a folder", each, width, style: plain });

test("foldBlocks() takes blocks with the same place and shape together, and says which they are", () => {
  const hooks = [
    ...[0, 1, 2].map((block) => place(`blocks.${block}.hook_resid_pre`)),
    ...[0, 2, 3, 4].map((block) => place(`blocks.${block}.attn.hook_z`)),
    place("blocks.1.attn.hook_z", 16),
    place("hook_embed"),
  ];
  expect(foldBlocks(hooks)).toEqual([
    { name: "blocks.{0..2}.hook_resid_pre", first: hooks[0] },
    { name: "blocks.{0,2..4}.attn.hook_z", first: hooks[3] },
    { name: "blocks.1.attn.hook_z", first: hooks[7] },
    { name: "hook_embed", first: hooks[8] },
  ]);
});

test("hooksReport() of a graph without known structure lists its own names and says why", () => {
  const text = report({});
  expect(text).toContain("not found: the structure of this graph is not known");
  expect(text).not.toContain("Places");
  expect(text).toContain("Values  1 with a vector for each token");
  expect(text).toContain("  8  batch·sequence×8  /a value");
  expect(text).toContain("note: no transformer's structure was found");
});

test("hooksReport() ends with a command that a shell reads as one, whatever the model is called", () => {
  expect(report({}).split("\n").slice(-5).join("\n")).toBe(
    [
      "  saestitch capture 'a folder' \\",
      "    --hook '/a value' \\",
      "    --text corpus.txt \\",
      "    --out activations",
      "",
    ].join("\n"),
  );
  expect(report({}, { width: 120 })).toContain(
    "\n  saestitch capture 'a folder' --hook '/a value' --text corpus.txt --out activations\n",
  );
  expect(report({ hooks: [] })).not.toContain("capture");
});

test("hooksReport() puts names in the graph into the table where there is room, else below", () => {
  const hooks = [0, 1, 2].map((block) => place(`blocks.${block}.hook_resid_pre`));
  const line = "  blocks.{0..2}.hook_resid_pre  8  batch×sequence×8";
  expect(report({ blocks: 3, hooks }, { width: 120 })).toContain(`${line}  /blocks.0.hook_resid_pre\n`);
  expect(report({ blocks: 3, hooks })).toContain(`${line}\n    /blocks.0.hook_resid_pre\n`);
});
