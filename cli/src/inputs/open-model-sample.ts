import { createHash } from "node:crypto";
import { excludeTokens } from "@saestitch/core";
import {
  modelActivations,
  readingOf,
  type SaeReading,
  type TokenWindow,
  tokenWindows,
} from "@saestitch/models";
import { UsageError } from "../arguments/usage-error.ts";
import { hashFiles } from "./hash-files.ts";
import type { CaptureOptions } from "./model-options.ts";
import type { ModelReading } from "./model-reading.ts";
import type { Sample } from "./open-sample.ts";
import { openTextModel, type TextModel } from "./open-text-model.ts";
import type { SaeInput } from "./provenance.ts";
import type { SampleOptions } from "./sample-options.ts";
import type { Surroundings } from "./surroundings.ts";

/** What the user says of how a model is read, and what SAEs and model make of the rest. */
export function readingFor(
  saes: readonly SaeInput[],
  options: CaptureOptions & { readonly hook: string | undefined },
  { model, tokenizer, longestContext }: Pick<TextModel, "model" | "tokenizer" | "longestContext">,
): SaeReading {
  const yesOrNo = { auto: undefined, yes: true, no: false };
  const reading = readingOf(
    saes.map(({ sae }) => sae.origin),
    { normalization: model.normalization, hasBos: tokenizer.bos !== undefined, longestContext },
    {
      hook: options.hook,
      context: options.context,
      bos: yesOrNo[options.bos],
      centred: yesOrNo[options.centre],
    },
  );
  if (longestContext !== undefined && reading.context > longestContext)
    throw new UsageError(
      `${model.location} reads at most ${longestContext} tokens at once, not ${reading.context}; give --context ${longestContext} or less`,
    );
  return reading;
}

/** Open a sample whose activations are captured from a model as they are needed, read as the SAEs were trained. */
export async function openModelSample(
  address: string,
  text: string,
  options: SampleOptions,
  { saes, ...surroundings }: Surroundings & { readonly saes: readonly SaeInput[] },
): Promise<Sample> {
  const parts = await openTextModel(address, text, options, surroundings);
  try {
    const reading = readingFor(saes, options, parts);
    for (const remark of reading.remarks) surroundings.stderr.write(`${remark}\n`);
    const { model, tokenizer } = parts;
    const hook = await model.findHook(reading.hook);
    const windows = await readWindows(parts, reading, options, surroundings);
    const modelReading: ModelReading = {
      model,
      hook,
      processing: reading.processing,
      tokenizer,
      windows,
      text: parts.text.location,
      remarks: reading.remarks,
    };
    const source = modelActivations(model, hook, windows, {
      processing: reading.processing,
      batchTokens: options["batch-tokens"],
      location: `${reading.hook} of ${model.location} on ${parts.text.location}`,
    });
    const excluded = excludedIds(options, tokenizer.special, windows);
    return {
      location: source.location,
      rows: source.rows,
      excludedTokens: excluded,
      source: excludeTokens(source, excluded),
      reading: modelReading,
      async hashFiles(startProgress) {
        const files = await hashFiles([...parts.opened.files, ...parts.text.files], startProgress);
        return [...files, recordOf(modelReading, parts, options)];
      },
      close: parts.close,
    };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

/** All windows of the text: a few bytes for each token, where its activation takes thousands. */
async function readWindows(
  { text, tokenizer }: TextModel,
  { context, bos }: SaeReading,
  { tokens, arrangement, rest }: SampleOptions,
  { startProgress }: Surroundings,
): Promise<TokenWindow[]> {
  const progress = startProgress({ label: "tokenizing", unit: "tokens", total: tokens });
  try {
    const windows: TokenWindow[] = [];
    let done = 0;
    for await (const window of tokenWindows(text.documents(), tokenizer, {
      context,
      bos,
      arrangement,
      rest,
      limit: tokens,
    })) {
      windows.push(window);
      done += window.tokenIds.length;
      progress.update(done);
    }
    return windows;
  } finally {
    progress.end();
  }
}

/** Special tokens are excluded as they are; those the user names beside them. */
function excludedIds(
  { "exclude-tokens": exclude }: SampleOptions,
  special: ReadonlySet<number>,
  windows: readonly TokenWindow[],
): readonly number[] {
  if (exclude !== "auto" && exclude !== "none") return exclude;
  const seen = new Set<number>();
  for (const { tokenIds } of windows) for (const id of tokenIds) if (special.has(id)) seen.add(id);
  return [...seen];
}

/** What beside the bytes of model and text decides the activations, as a file of its own among those hashed. */
function recordOf(
  { hook, processing, windows, text }: ModelReading,
  { tokenizer }: TextModel,
  { device, "batch-tokens": batchTokens }: SampleOptions,
) {
  const hash = createHash("sha256");
  hash.update(
    JSON.stringify({
      tensor: hook.tensor,
      processing,
      tokenizer: tokenizer.sha256,
      device,
      batchTokens,
      text,
    }),
  );
  for (const { tokenIds, documentIds } of windows) {
    // With its length, so that the same tokens in other windows are another sample.
    hash.update(`${tokenIds.length},`).update(tokenIds).update(documentIds);
  }
  return { name: `reading of ${hook.name ?? hook.tensor}`, bytes: 0, sha256: hash.digest("hex") };
}
