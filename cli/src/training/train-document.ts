import { join } from "node:path";
import type { TrainingData, TrainingOptions } from "@saestitch/core";
import { finiteOrNull } from "../output/finite-or-null.ts";
import type { LogEntry } from "./train-log.ts";
import { saeFolders, type TrainRun } from "./train-run.ts";

/** Version of the document; docs/train-output.md describes every field. */
export const TRAIN_SCHEMA = "saestitch.train/1";

/** One of the SAEs, as documents have it. Figures are of inference, on rows of the sample. */
export interface TrainedRecord {
  readonly path: string;
  readonly latents: number;
  readonly seed: number;
  /** Tokens that the figures are of. */
  readonly tokens: number;
  readonly l0: number;
  readonly mse: number;
  readonly varianceExplained: number | null;
  readonly deadShare: number;
  /** Its last line of the log. */
  readonly final: LogEntry | null;
  readonly options: TrainingOptions;
}

/** How all SAEs of a training were trained. */
export interface TrainingCommon {
  readonly activations: { readonly location: string; readonly rows: number };
  readonly excludedTokens: readonly number[];
  readonly residualOf: { readonly location: string; readonly hash: string | null } | null;
  readonly data: TrainingData & { readonly inputScale: number };
  /** Steps of each SAE. */
  readonly steps: number;
  /** Tokens that each SAE was trained on. */
  readonly trainedTokens: number;
  /** Time spent on training all of them. */
  readonly seconds: number;
  readonly tokensPerSecond: number | null;
  readonly measuredRows: number;
}

/** What `train --json` prints. Numbers that are not defined are null. */
export interface TrainDocument extends TrainingCommon {
  readonly schema: typeof TRAIN_SCHEMA;
  readonly saes: readonly TrainedRecord[];
}

/** The document of a training. */
export function trainDocument(run: TrainRun): TrainDocument {
  return { schema: TRAIN_SCHEMA, ...trainingCommon(run), saes: trainedRecords(run) };
}

/** What is the same for all SAEs of a training. */
export function trainingCommon({ run, sample, residualOf, seconds, measuredRows }: TrainRun): TrainingCommon {
  const { steps } = run.trainees[0].options;
  const trainedTokens = steps * run.data.batchRows;
  return {
    activations: { location: sample.location, rows: sample.rows },
    excludedTokens: sample.excludedTokens,
    residualOf: residualOf && { location: residualOf.location, hash: residualOf.hash },
    data: { ...run.data, inputScale: run.inputScale },
    steps,
    trainedTokens,
    seconds,
    tokensPerSecond: finiteOrNull(trainedTokens / seconds),
    measuredRows,
  };
}

/** Each SAE of a training. */
export function trainedRecords({ run, out, measured, log }: TrainRun): TrainedRecord[] {
  const folders = saeFolders(run);
  return run.trainees.map(({ options }, i) => {
    const { latents, seed } = options;
    const { tokens, l0, mse, varianceExplained, deadShare } = measured[i].metrics;
    return {
      path: join(out, folders[i]),
      latents,
      seed,
      tokens,
      l0,
      mse,
      varianceExplained: finiteOrNull(varianceExplained),
      deadShare,
      final: log.findLast((entry) => entry.latents === latents && entry.seed === seed) ?? null,
      options,
    };
  });
}
