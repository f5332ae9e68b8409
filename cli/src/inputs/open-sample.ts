import { basename } from "node:path";
import { type ActivationSource, excludeTokens, findBosToken } from "@saestitch/core";
import { openActivations, openFile } from "@saestitch/core/node";
import type { StartProgress } from "../terminal/progress.ts";
import { hashSource } from "./hash-source.ts";
import type { HashedFile, SampleRecord } from "./provenance.ts";
import type { Exclusion } from "./sample-options.ts";

const MEGABYTE = 1e6;

/** An open sample of activations, the tokens to leave out marked. */
export interface Sample extends SampleRecord {
  readonly source: ActivationSource;
  /** Hash every file of the sample. */
  hashFiles(startProgress: StartProgress): Promise<HashedFile[]>;
  close(): Promise<void>;
}

/** Open the activations at `path`, the first `tokens` rows of them, and find which tokens to leave out. */
export async function openSample(
  path: string,
  {
    column,
    tokens = Number.POSITIVE_INFINITY,
    exclude,
  }: {
    readonly column?: string | undefined;
    readonly tokens?: number | undefined;
    readonly exclude: Exclusion;
  },
): Promise<Sample> {
  const opened = await openActivations(path, column === undefined ? {} : { column });
  try {
    const excludedTokens = await tokensToExclude(opened, exclude);
    return {
      location: opened.location,
      rows: Math.min(tokens, opened.rows),
      excludedTokens,
      source: excludeTokens(opened, excludedTokens),
      hashFiles: (startProgress) => hashFiles(opened.files, startProgress),
      close: () => opened.close(),
    };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function tokensToExclude(source: ActivationSource, exclude: Exclusion): Promise<readonly number[]> {
  if (exclude === "none") return [];
  if (exclude !== "auto") return exclude;
  const bos = await findBosToken(source);
  return bos === undefined ? [] : [bos];
}

async function hashFiles(paths: readonly string[], startProgress: StartProgress): Promise<HashedFile[]> {
  const sources = await Promise.all(paths.map((path) => openFile(path)));
  const total = sources.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const progress = startProgress({ label: "hashing", unit: "MB", total: total / MEGABYTE });
  try {
    let done = 0;
    const onBytes = (bytes: number) => {
      done += bytes;
      progress.update(done / MEGABYTE);
    };
    const hashed: HashedFile[] = [];
    for (const source of sources) {
      hashed.push({
        // Without the way to it, so that the same sample named otherwise has the same hash.
        name: basename(source.name),
        bytes: source.byteLength,
        sha256: await hashSource(source, { onBytes }),
      });
    }
    return hashed;
  } finally {
    progress.end();
    await Promise.all(sources.map((source) => source.close()));
  }
}
