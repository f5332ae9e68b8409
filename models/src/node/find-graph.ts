import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { FormatError } from "@saestitch/core";
import type { HubOptions } from "@saestitch/core/node";
import { type ModelFolder, openHubModelFolder, openLocalFolder } from "./model-folder.ts";

/** The graph of a model among its files. */
export interface FoundGraph {
  readonly folder: ModelFolder;
  /** Name of the graph's file in the folder. */
  readonly name: string;
}

/** How the hub's exports name the graph that reads a text from its beginning, and the folder it lies in. */
const usualNames = ["model.onnx", "decoder_model.onnx"];
const usualFolder = "onnx";

/**
 * Find the graph of a model at a path (an .onnx file, or a folder with one) or `hf:owner/repo[/path][@revision]`: the file itself, else
 * model.onnx, decoder_model.onnx or the only .onnx file of the folder, else of its onnx/. Rejects with {@link FormatError} where there is none
 * or the choice is not clear, and with a HubError when the hub fails.
 */
export async function findGraph(address: string, hub: HubOptions = {}): Promise<FoundGraph> {
  const given = /[^/\\]+\.onnx$/.exec(address.replace(/@[^@]*$/, address.startsWith("hf:") ? "" : "$&"))?.[0];
  const folder = await openFolderOf(address, given, hub);
  if (given !== undefined) {
    if (folder.names.includes(given)) return { folder, name: given };
    throw new FormatError(
      `Cannot open the model ${address}: ${folder.location} has no file ${given}${listed(folder)}`,
    );
  }
  for (const place of [folder, await folder.inside(usualFolder)]) {
    const graphs = place?.names.filter((name) => name.endsWith(".onnx")) ?? [];
    const name =
      usualNames.find((usual) => graphs.includes(usual)) ?? (graphs.length === 1 ? graphs[0] : undefined);
    if (place !== undefined && name !== undefined) return { folder: place, name };
    if (graphs.length > 1)
      throw new FormatError(
        `Cannot tell which graph of ${place!.location} to open: it has ${graphs.join(", ")}; name one of them`,
      );
  }
  throw new FormatError(
    `Cannot open the model ${address}: neither it nor its ${usualFolder}/ has an .onnx file${listed(folder)}; ` +
      "a PyTorch model is exported with: optimum-cli export onnx --model <model> --task text-generation <folder>",
  );
}

async function openFolderOf(
  address: string,
  file: string | undefined,
  hub: HubOptions,
): Promise<ModelFolder> {
  if (address.startsWith("hf:")) return openHubModelFolder(address, hub);
  if (file !== undefined) return openLocalFolder(dirname(address));
  const found = await stat(address).catch(() => undefined);
  if (found?.isFile())
    throw new FormatError(
      `Cannot open the model ${address}: expected an .onnx file or a folder, and it is ${basename(address)}`,
    );
  return openLocalFolder(address);
}

function listed({ names }: ModelFolder): string {
  const shown = names.slice(0, 8).join(", ") + (names.length > 8 ? ` and ${names.length - 8} more` : "");
  return `; found ${shown || "no files"}`;
}
