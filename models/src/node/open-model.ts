import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { FormatError } from "@saestitch/core";
import { type HubOptions, openFile } from "@saestitch/core/node";
import { openLanguageModel } from "../language-model/open-language-model.ts";
import type { Model } from "../model.ts";
import { dataFiles } from "../onnx/data-files.ts";
import { describeFile } from "../onnx/describe-file.ts";
import type { OnnxModel } from "../onnx/onnx-model.ts";
import { readOnnx } from "../onnx/read-onnx.ts";
import { relocateData } from "../onnx/relocate-data.ts";
import { findGraph } from "./find-graph.ts";
import type { EngineOptions } from "./local-engine.ts";
import type { ModelFolder } from "./model-folder.ts";
import { openEngine } from "./open-engine.ts";

/** A model and the files it was opened from. */
export interface OpenedModel {
  readonly model: Model;
  /** Paths of the graph and of the files with its weights, on this machine. */
  readonly files: readonly string[];
  /** The path of a file that belongs to the model (tokenizer.json, config.json): beside the graph, else in the folder above; undefined where there is none. */
  companion(name: string): Promise<string | undefined>;
}

/** How to open a model. */
export interface ModelOptions extends EngineOptions {
  readonly hub?: HubOptions;
}

/**
 * Open the language model at a path (an .onnx file, or a folder with one, such as optimum writes) or `hf:owner/repo[/path][@revision]`.
 * Its weights stay in their files, which ONNX Runtime maps into memory.
 *
 * Rejects with {@link FormatError} for a file that is truncated or not ONNX, or whose weights are missing; as `openEngine` where ONNX Runtime
 * is; and with a HubError when the hub fails.
 */
export async function openModel(
  address: string,
  { hub = {}, ...engine }: ModelOptions = {},
): Promise<OpenedModel> {
  const { folder, name } = await findGraph(address, hub);
  const path = await folder.path(name);
  const source = await openFile(path);
  let graph: OnnxModel;
  try {
    graph = { ...(await readOnnx(source)), location: folder.locate(name) };
  } finally {
    await source.close();
  }
  const weights = await findWeights(graph, { folder, name, path });
  const located = relocateData(graph, (file) => basename(weights.get(file)!));
  const places = new Set([...weights.values()].map(dirname));
  if (places.size > 1)
    throw new FormatError(
      `Cannot open ${graph.location}: its weights lie in different folders, ${[...places].join(" and ")}`,
    );
  return {
    model: openLanguageModel(located, await openEngine(engine), { folder: [...places][0] ?? dirname(path) }),
    files: [...new Set([path, ...weights.values()])],
    async companion(file) {
      if (folder.names.includes(file)) return folder.path(file);
      const above = await folder.above();
      return above?.names.includes(file) ? above.path(file) : undefined;
    },
  };
}

/** Where each file with weights lies on this machine. */
async function findWeights(
  graph: OnnxModel,
  { folder, name, path }: { readonly folder: ModelFolder; readonly name: string; readonly path: string },
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const [file, bytes] of dataFiles(graph)) {
    // What lies in the graph's own file goes by the name the file was read under.
    const own = file === basename(path) || file === name;
    if (!own && !folder.names.includes(file))
      throw new FormatError(
        `Cannot open ${graph.location}: its weights are in ${file}, which is not beside it${folder.location.startsWith("hf:") ? "" : "; copy both files"}`,
      );
    const at = own ? path : await folder.path(file);
    const { size } = await stat(at);
    if (size < bytes)
      throw new FormatError(
        `Cannot open ${graph.location}: its weights reach to byte ${bytes} of ${file}, which has ${size}; ${await whyShort(at)}`,
      );
    found.set(file, at);
  }
  return found;
}

/** What may be the matter with a file of weights that is too short. */
async function whyShort(path: string): Promise<string> {
  const source = await openFile(path);
  try {
    const kind = describeFile(await source.read(0, Math.min(256, source.byteLength)));
    return kind === undefined ? "is it whole?" : `it looks like ${kind}`;
  } finally {
    await source.close();
  }
}
