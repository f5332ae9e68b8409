import { type ByteSource, FormatError } from "@saestitch/core";
import * as onnxruntime from "onnxruntime-web";
import { createOrtEngine } from "../engine/ort-engine.ts";
import { openLanguageModel } from "../language-model/open-language-model.ts";
import type { Model } from "../model.ts";
import { dataFiles } from "../onnx/data-files.ts";
import { readOnnx } from "../onnx/read-onnx.ts";

/** How a page opens a model. */
export interface BrowserModelOptions {
  /** Default "wasm"; "webgpu" needs a browser and a machine that have it. */
  readonly device?: "wasm" | "webgpu";
  /** Opens a file with weights that lie outside the graph's own, by its path from the graph. */
  readonly openData?: (file: string) => Promise<ByteSource>;
}

/**
 * Open a language model in the browser on ONNX Runtime's WebAssembly or WebGPU build (the package onnxruntime-web). Its weights are held in
 * memory. Rejects with FormatError for a file that is truncated or not ONNX, or whose weights nobody opens.
 */
export async function openBrowserModel(
  graph: ByteSource,
  { device = "wasm", openData }: BrowserModelOptions = {},
): Promise<Model> {
  const model = await readOnnx(graph);
  const externalData = [];
  for (const file of dataFiles(model).keys()) {
    const source = graph.name.endsWith(file) ? graph : await openOrRefuse(file, graph.name, openData);
    externalData.push({ path: file, data: await source.read(0, source.byteLength) });
  }
  const engine = createOrtEngine(onnxruntime, {
    name: `ONNX Runtime ${onnxruntime.env.versions.web}, ${device}`,
    options: { executionProviders: [device] },
  });
  return openLanguageModel(model, engine, { externalData });
}

function openOrRefuse(
  file: string,
  graph: string,
  openData: BrowserModelOptions["openData"],
): Promise<ByteSource> {
  if (openData === undefined)
    throw new FormatError(
      `Cannot open ${graph}: its weights are in ${file}, and there is no openData to open it with`,
    );
  return openData(file);
}
