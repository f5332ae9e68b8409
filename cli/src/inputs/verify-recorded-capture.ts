import type { ActivationSource } from "@saestitch/core";
import { verifyCapture, verifyCaptureWithModel } from "@saestitch/models";
import { readCapture } from "@saestitch/models/node";
import { openModelInput } from "./open-text-model.ts";
import type { SampleOptions } from "./sample-options.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * Where a folder of activations says what it was captured from, check that its first rows are still that; and, where a model is named beside it,
 * that the model gives them. Rejects with DataError where they differ.
 */
export async function verifyRecordedCapture(
  path: string,
  source: ActivationSource,
  { model: address, ...options }: SampleOptions,
  surroundings: Surroundings,
): Promise<void> {
  const { stderr } = surroundings;
  const capture = await readCapture(path);
  if (capture !== undefined) {
    if (!capture.complete)
      stderr.write(`warning: ${path} is a part of a capture that was interrupted; capture goes on with it\n`);
    await verifyCapture(source, capture);
  }
  if (address === undefined) return;
  if (capture === undefined) {
    stderr.write(
      `warning: ${path} does not say what it was captured from, so it cannot be compared with ${address}\n`,
    );
    return;
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
}
