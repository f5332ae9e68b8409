import { type ActivationSource, DataError } from "@saestitch/core";
import { type CaptureManifest, verifyCapture, verifyCaptureWithModel } from "@saestitch/models";
import { readCapture } from "@saestitch/models/node";
import { openModelInput } from "./open-text-model.ts";
import type { HashedFile } from "./provenance.ts";
import type { SampleOptions } from "./sample-options.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * Where a folder of activations says what it was captured from, check that its first rows are still that; and, where a model is named beside it,
 * that the model gives them. Rejects with DataError where they differ. Resolves to what the folder says; undefined where it says nothing.
 */
export async function verifyRecordedCapture(
  path: string,
  source: ActivationSource,
  { model: address, ...options }: SampleOptions,
  surroundings: Surroundings,
): Promise<CaptureManifest | undefined> {
  const { stderr } = surroundings;
  const capture = await readCapture(path);
  if (capture !== undefined) {
    if (!capture.complete)
      stderr.write(`warning: ${path} is a part of a capture that was interrupted; capture goes on with it\n`);
    await verifyCapture(source, capture);
  }
  if (address === undefined) return capture;
  if (capture === undefined) {
    stderr.write(
      `warning: ${path} does not say what it was captured from, so it cannot be compared with ${address}\n`,
    );
    return undefined;
  }
  const { model } = await openModelInput(address, options, surroundings);
  try {
    const { largest } = await verifyCaptureWithModel(model, capture);
    stderr.write(
      `${model.location} gives the first rows of ${path} again, to ${largest.toExponential(1)} of their norm\n`,
    );
  } finally {
    await model.close();
  }
  return capture;
}

/** Compare the files of a capture with what they were when it was made: all of them, where its first rows are not enough. Throws DataError. */
export function checkShardHashes(files: readonly HashedFile[], { shards }: CaptureManifest): void {
  const hashes = new Map(shards.map(({ name, sha256 }) => [name, sha256]));
  const changed = files.find(({ name, sha256 }) => hashes.has(name) && hashes.get(name) !== sha256);
  if (changed !== undefined) throw new DataError(`${changed.name} has been changed since it was captured`);
}
