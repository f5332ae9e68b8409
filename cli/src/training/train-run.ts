import type { MeasuredReconstruction, SaeOrigin, TrainingRun } from "@saestitch/core";
import type { HashedFile, SaeInput, SampleRecord } from "../inputs/provenance.ts";
import type { LogEntry } from "./train-log.ts";

/** What of an SAE's origin says where and how its activations were read. */
export const placeKeys = ["modelName", "hook", "contextSize", "prependBos", "centredWrites"] as const;

/** A finished training, and what it was made from: all that a report of it needs. */
export interface TrainRun {
  readonly run: TrainingRun;
  /** Where the folders of the SAEs lie. */
  readonly out: string;
  /** How each SAE reconstructs as it is written, on the first `measuredRows` rows of the sample. */
  readonly measured: readonly MeasuredReconstruction[];
  readonly measuredRows: number;
  readonly sample: SampleRecord;
  readonly activationFiles: readonly HashedFile[];
  /** Where in which model the activations were read, as far as that is known. */
  readonly place: Pick<SaeOrigin, (typeof placeKeys)[number]>;
  /** The SAE whose residual was trained on, if any. */
  readonly residualOf: SaeInput | null;
  readonly log: readonly LogEntry[];
  /** Time spent on training, that before a resumption counted. */
  readonly seconds: number;
}

/** The names of the folders of the SAEs: their widths, with the seeds where there are several. */
export function saeFolders({ trainees }: TrainingRun): string[] {
  const isOneSeed = new Set(trainees.map(({ options }) => options.seed)).size === 1;
  return trainees.map(({ options: { latents, seed } }) =>
    isOneSeed ? String(latents) : `${latents}-seed${seed}`,
  );
}
