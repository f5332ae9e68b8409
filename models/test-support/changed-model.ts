import { copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openFile } from "@saestitch/core/node";
import { encodeOnnx } from "../src/onnx/encode-onnx.ts";
import { makeNode } from "../src/onnx/make-node.ts";
import { makeFloatTensor } from "../src/onnx/make-tensor.ts";
import type { OnnxModel, OnnxNode } from "../src/onnx/onnx-model.ts";
import { readOnnx } from "../src/onnx/read-onnx.ts";
import { relocateData } from "../src/onnx/relocate-data.ts";

/** Path of a model of the fixtures. */
export const fixtureModel = (name: string) =>
  fileURLToPath(new URL(`../../fixtures/models/${name}`, import.meta.url));

/** Write a model of the fixtures, whose weights lie in its own file, with another graph into a folder: its tokenizer and configs beside it. */
export async function writeChangedModel(
  folder: string,
  fixture: string,
  change: (model: OnnxModel) => OnnxModel,
): Promise<string> {
  const from = fixtureModel(fixture);
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(from)) await copyFile(join(from, name), join(folder, name));
  await copyFile(join(from, "model.onnx"), join(folder, "weights.bin"));
  const source = await openFile(join(from, "model.onnx"));
  try {
    const model = relocateData(await readOnnx(source), () => "weights.bin");
    await writeFile(join(folder, "model.onnx"), encodeOnnx(change(model)));
  } finally {
    await source.close();
  }
  return folder;
}

/** The model with `nodes` after what makes `value`; what read `value` reads `instead`. */
export function insertAfter(
  model: OnnxModel,
  value: string,
  nodes: readonly OnnxNode[],
  instead: string,
): OnnxModel {
  return {
    ...model,
    nodes: model.nodes.flatMap((node) => {
      const rewired = node.inputs.includes(value)
        ? makeNode(
            node.opType,
            node.inputs.map((input) => (input === value ? instead : input)),
            node.outputs,
            { name: node.name, domain: node.domain, attributes: Object.fromEntries(node.attributes) },
          )
        : node;
      return node.outputs.includes(value) ? [rewired, ...nodes] : [rewired];
    }),
  };
}

/** The model in which `value` is multiplied by a factor wherever it is read. */
export function scaled(model: OnnxModel, value: string, factor: number): OnnxModel {
  const changed = insertAfter(model, value, [makeNode("Mul", [value, "factor"], ["scaled"])], "scaled");
  return {
    ...changed,
    initializers: new Map([...model.initializers, ["factor", makeFloatTensor("factor", [], [factor])]]),
  };
}
