import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { FormatError, parseJsonObject } from "@saestitch/core";
import type { HubOptions } from "@saestitch/core/node";
import { createTokenizer } from "../tokens/hub-tokenizer.ts";
import type { Tokenizer } from "../tokens/tokenizer.ts";
import { openHubModelFolder, openLocalFolder } from "./model-folder.ts";

/** A tokenizer, and the hash of the file it was read from. */
export interface OpenedTokenizer extends Tokenizer {
  /** Of tokenizer.json, in hexadecimal. */
  readonly sha256: string;
}

/** Where the files beside a model are found: the path of the file of a name on this machine, undefined where there is none. */
export type FindFile = (name: string) => Promise<string | undefined>;

/** The vocabularies of large multilingual models take some 30 MB. */
const largestTokenizer = 128 * 2 ** 20;

/** Files that tokenizers are also kept in, which hold no whole description of one. */
const otherForms = ["tokenizer.model", "spiece.model", "vocab.json", "vocab.txt"];

/**
 * Read the tokenizer that belongs to a model from `tokenizer.json`, with the `tokenizer_config.json` and `config.json` beside it. `owner` is what the files
 * belong to, for people.
 *
 * Rejects with {@link FormatError} where there is no tokenizer.json, or one of the files is damaged; as {@link createTokenizer}.
 */
export async function openTokenizer(find: FindFile, owner: string): Promise<OpenedTokenizer> {
  const path = await find("tokenizer.json");
  if (path === undefined) throw await missing(find, owner);
  const bytes = await readFile(path);
  const location = `tokenizer.json of ${owner}`;
  const json = parseJsonObject(bytes, location, { maxBytes: largestTokenizer });
  const beside = async (name: string) => {
    const file = await find(name);
    return file === undefined ? undefined : parseJsonObject(await readFile(file), `${name} of ${owner}`);
  };
  const modelConfig = await beside("config.json");
  const tokenizer = createTokenizer(json, await beside("tokenizer_config.json"), location, {
    ...(modelConfig && { modelConfig }),
  });
  return { ...tokenizer, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** As {@link openTokenizer}, of a tokenizer.json of any name, a folder that holds one, or `hf:owner/repo[/path][@revision]`. */
export async function openTokenizerAt(
  address: string,
  { hub = {} }: { readonly hub?: HubOptions } = {},
): Promise<OpenedTokenizer> {
  const isFile = await stat(address).then(
    (entry) => entry.isFile(),
    () => false,
  );
  const folder = address.startsWith("hf:")
    ? await openHubModelFolder(address, hub)
    : await openLocalFolder(isFile ? dirname(address) : address);
  const named = isFile ? basename(address) : "tokenizer.json";
  return openTokenizer(async (wanted) => {
    const name = wanted === "tokenizer.json" ? named : wanted;
    return folder.names.includes(name) ? folder.path(name) : undefined;
  }, folder.location);
}

async function missing(find: FindFile, owner: string): Promise<FormatError> {
  for (const other of otherForms)
    if ((await find(other)) !== undefined)
      return new FormatError(
        `Cannot read the tokenizer of ${owner}: it has ${other}, but no tokenizer.json; write one with save_pretrained of transformers' fast tokenizer`,
      );
  return new FormatError(
    `Cannot read the tokenizer of ${owner}: there is no tokenizer.json, beside it or in the folder above`,
  );
}
