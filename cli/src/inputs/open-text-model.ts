import { readFile } from "node:fs/promises";
import { parseJsonObject } from "@saestitch/core";
import { checkVocabulary, type Model, type TextSource } from "@saestitch/models";
import {
  type OpenedModel,
  type OpenedTokenizer,
  openModel,
  openText,
  openTokenizer,
} from "@saestitch/models/node";
import { UsageError } from "../arguments/usage-error.ts";
import { downloadProgress } from "./download-progress.ts";
import type { CaptureOptions } from "./model-options.ts";
import type { Surroundings } from "./surroundings.ts";

/** A model, its tokenizer and a text, open. */
export interface TextModel {
  readonly opened: OpenedModel;
  readonly model: Model;
  readonly tokenizer: OpenedTokenizer;
  readonly text: TextSource;
  /** Tokens of the longest context the model was made for; absent where its config does not tell. */
  readonly longestContext?: number;
  close(): Promise<void>;
}

/** Open the model at `address`. */
export async function openModelInput(
  address: string,
  { device, threads }: Pick<CaptureOptions, "device"> & { readonly threads?: number | undefined },
  { stderr, startProgress }: Surroundings,
): Promise<OpenedModel> {
  const download = downloadProgress(startProgress);
  try {
    return await openModel(address, {
      device,
      threads,
      hub: {
        onProgress: download.update,
        onWarning: (message) => stderr.write(`warning: ${message}\n`),
      },
    });
  } finally {
    download.end();
  }
}

/** Open a model with its tokenizer, and the text that it is to read. */
export async function openTextModel(
  address: string,
  textAddress: string,
  options: CaptureOptions & { readonly threads?: number | undefined; readonly tokens?: number | undefined },
  surroundings: Surroundings,
): Promise<TextModel> {
  const { stderr, startProgress } = surroundings;
  if (textAddress.startsWith("hf:") && options.tokens === undefined)
    throw new UsageError(
      `--text ${textAddress} is a data set of the hub; say with --tokens N how much of it is read`,
    );
  const opened = await openModelInput(address, options, surroundings);
  const { model } = opened;
  try {
    const tokenizer = await openTokenizer(opened.companion, model.location);
    const warning = checkVocabulary(tokenizer, model);
    if (warning !== undefined) stderr.write(`warning: ${warning}\n`);
    const longestContext = await longestContextOf(opened);
    const download = downloadProgress(startProgress);
    const text = await openText(textAddress, {
      column: options["text-column"],
      split: options.split,
      config: options["dataset-config"],
      splitName: options["dataset-split"],
      onProgress: download.update,
      hub: { onWarning: (message) => stderr.write(`warning: ${message}\n`) },
    }).finally(() => download.end());
    return {
      opened,
      model,
      tokenizer,
      text,
      ...(longestContext !== undefined && { longestContext }),
      async close() {
        await text.close();
        await model.close();
      },
    };
  } catch (error) {
    await model.close();
    throw error;
  }
}

/** How configs of the usual families name the number of positions. */
const positionKeys = ["max_position_embeddings", "n_positions", "n_ctx", "seq_length"];

async function longestContextOf({ companion, model }: OpenedModel): Promise<number | undefined> {
  const path = await companion("config.json");
  if (path === undefined) return undefined;
  const config = parseJsonObject(await readFile(path), `config.json of ${model.location}`);
  const lengths = positionKeys.map((key) => config[key]);
  return lengths.find((length): length is number => typeof length === "number" && length > 0);
}
