import { type ActivationSource, excludeTokens, findBosToken } from "@saestitch/core";
import { openActivations } from "@saestitch/core/node";
import type { StartProgress } from "../terminal/progress.ts";
import { hashFiles } from "./hash-files.ts";
import type { ModelReading } from "./model-reading.ts";
import { openModelSample } from "./open-model-sample.ts";
import type { HashedFile, SaeInput, SampleRecord } from "./provenance.ts";
import { type Exclusion, requireSample, type SampleOptions } from "./sample-options.ts";
import type { Surroundings } from "./surroundings.ts";
import { checkShardHashes, verifyRecordedCapture } from "./verify-recorded-capture.ts";

/** An open sample of activations, the tokens to leave out marked. */
export interface Sample extends SampleRecord {
  readonly source: ActivationSource;
  /** What the activations are read out of, where it is a model and not files. */
  readonly reading?: ModelReading;
  /** Hash every file of the sample. */
  hashFiles(startProgress: StartProgress): Promise<HashedFile[]>;
  close(): Promise<void>;
}

/**
 * Open the sample that the options name, and find which of its tokens to leave out; a model is read as the SAEs were trained. Throws
 * UsageError when they name none.
 */
export async function openSample(
  options: SampleOptions,
  saes: readonly SaeInput[],
  surroundings: Surroundings,
): Promise<Sample> {
  requireSample(options);
  const { activations, model, text } = options;
  if (model !== undefined && text !== undefined)
    return openModelSample(model, text, options, { saes, ...surroundings });
  return openRecordedSample(activations!, options, surroundings);
}

async function openRecordedSample(
  path: string,
  options: SampleOptions,
  surroundings: Surroundings,
): Promise<Sample> {
  const { column, tokens = Number.POSITIVE_INFINITY } = options;
  const opened = await openActivations(path, column === undefined ? {} : { column });
  try {
    const capture = await verifyRecordedCapture(path, opened, options, surroundings);
    const excludedTokens = await tokensToExclude(opened, options["exclude-tokens"]);
    return {
      location: opened.location,
      rows: Math.min(tokens, opened.rows),
      excludedTokens,
      source: excludeTokens(opened, excludedTokens),
      async hashFiles(startProgress) {
        const files = await hashFiles(opened.files, startProgress);
        if (capture !== undefined) checkShardHashes(files, capture);
        return files;
      },
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
