import { appendFile, readFile } from "node:fs/promises";
import type { StepReport, TrainingRun } from "@saestitch/core";
import { writeAtomically } from "@saestitch/core/node";
import { finiteOrNull } from "../output/finite-or-null.ts";

/** A line of log.jsonl: one step of one SAE. Figures are of the step's batch, before the step; docs/train-output.md describes them. */
export interface LogEntry {
  readonly step: number;
  /** Tokens trained on. */
  readonly tokens: number;
  readonly latents: number;
  readonly seed: number;
  readonly mse: number | null;
  readonly varianceExplained: number | null;
  readonly l0: number | null;
  readonly deadShare: number | null;
  readonly loss: number | null;
  readonly learningRate: number;
  /** Of architectures that have a penalty. */
  readonly sparsityWeight?: number;
  /** Time spent on training, that before a resumption counted. */
  readonly seconds: number;
  /** Since the line before. */
  readonly tokensPerSecond: number | null;
}

/** The log of a training, on disk and in memory. */
export interface TrainLog {
  readonly entries: readonly LogEntry[];
  /** Add the reports of one step of `run`, one for each SAE, made after `seconds` of training. */
  add(reports: readonly StepReport[], run: TrainingRun, seconds: number): Promise<void>;
}

/** Begin the log at `path` with what it holds up to `step`, without what a training that was cut off wrote after it. */
export async function openTrainLog(path: string, step: number): Promise<TrainLog> {
  const entries = step === 0 ? [] : (await readLog(path)).filter((entry) => entry.step <= step);
  await writeAtomically(path, [linesOf(entries)]);
  return {
    entries,
    async add(reports, { trainees, data }, seconds) {
      const tokens = reports[0].step * data.batchRows;
      const last = entries.at(-1);
      const rate = (tokens - (last?.tokens ?? 0)) / (seconds - (last?.seconds ?? 0));
      const added = reports.map(
        ({ step, mse, varianceExplained, l0, deadShare, loss, rate: learningRate, sparsityWeight }, i) => ({
          step,
          tokens,
          latents: trainees[i].options.latents,
          seed: trainees[i].options.seed,
          mse: finiteOrNull(mse),
          varianceExplained: finiteOrNull(varianceExplained),
          l0: finiteOrNull(l0),
          deadShare: finiteOrNull(deadShare),
          loss: finiteOrNull(loss),
          learningRate,
          ...(sparsityWeight !== undefined && { sparsityWeight }),
          seconds,
          tokensPerSecond: finiteOrNull(rate),
        }),
      );
      entries.push(...added);
      await appendFile(path, linesOf(added));
    },
  };
}

/** Every entry of a log; a last line that is not whole is left out. */
async function readLog(path: string): Promise<LogEntry[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

function linesOf(entries: readonly LogEntry[]): Uint8Array {
  return new TextEncoder().encode(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
}
