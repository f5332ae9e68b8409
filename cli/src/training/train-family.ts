import {
  type ActivationSource,
  type Kernels,
  type StepReport,
  type TrainingRun,
  trainSteps,
} from "@saestitch/core";
import type { Interruption } from "../interruption.ts";
import { formatFixed, formatNumber, formatShare } from "../terminal/format-number.ts";
import type { StartProgress } from "../terminal/progress.ts";
import { textTable } from "../terminal/text-table.ts";
import { isCurveStep } from "./curve-steps.ts";
import type { TrainLog } from "./train-log.ts";

/** Milliseconds for which shown figures stay, so that they can be read. */
const SHOWN_FOR = 1000;

/** What watches over a training. */
export interface Watch {
  readonly log: TrainLog;
  readonly logEverySeconds: number;
  readonly startProgress: StartProgress;
  /** Seconds spent before this process. */
  readonly secondsBefore: number;
  /** Seconds between two checkpoints. */
  readonly checkpointEverySeconds: number;
  writeCheckpoint(): Promise<void>;
}

/** How far a training came. */
export interface TrainedFamily {
  /** Whether it was stopped by a signal; its checkpoint is written. */
  readonly interrupted: boolean;
  /** Time spent on it in all. */
  readonly seconds: number;
}

/**
 * Make the steps that are left, log and show them, and keep a checkpoint: now and then, at the end, and when a signal asks to stop.
 *
 * Throws DivergenceError, the last checkpoint being one from before.
 */
export function trainFamily(
  run: TrainingRun,
  source: ActivationSource,
  kernels: Kernels,
  interruption: Interruption,
  { log, logEverySeconds, startProgress, secondsBefore, checkpointEverySeconds, writeCheckpoint }: Watch,
): Promise<TrainedFamily> {
  const { trainees, data } = run;
  const [{ options, state }] = trainees;
  const { steps } = options;
  const begun = performance.now();
  const secondsNow = () => secondsBefore + (performance.now() - begun) / 1000;
  const last = { checkpoint: begun, log: begun, shown: Number.NEGATIVE_INFINITY };
  let figures: readonly string[] = [];
  const progress = startProgress({
    label: "training",
    unit: "tokens",
    total: steps * data.batchRows,
    start: state.step * data.batchRows,
    secondsBetweenLines: logEverySeconds,
    details: () => figures,
  });
  return interruption
    .during(async (signal) => {
      for await (const reports of trainSteps(run, source, kernels)) {
        const [{ step }] = reports;
        const tokens = step * data.batchRows;
        const now = performance.now();
        const isDue = now - last.log >= 1000 * logEverySeconds;
        if (isDue || isCurveStep(step, steps)) await log.add(reports, run, secondsNow());
        if (isDue) last.log = now;
        if (now - last.shown >= SHOWN_FOR) {
          figures = figuresOf(run, reports);
          last.shown = now;
        }
        progress.update(tokens);
        if (signal.aborted && step < steps) {
          await writeCheckpoint();
          return { interrupted: true, seconds: secondsNow() };
        }
        if (now - last.checkpoint >= 1000 * checkpointEverySeconds) {
          await writeCheckpoint();
          last.checkpoint = performance.now();
        }
      }
      // Should writing the results fail, for want of space say, they can be had again without training.
      await writeCheckpoint();
      return { interrupted: false, seconds: secondsNow() };
    })
    .finally(progress.end);
}

/** How the SAEs of a training are doing: a line for each. */
export function figuresOf({ trainees }: TrainingRun, reports: readonly StepReport[]): string[] {
  const seeds = new Set(trainees.map(({ options }) => options.seed));
  const names = trainees.map(({ options: { latents, seed } }) =>
    seeds.size === 1 ? String(latents) : `${latents} seed ${seed}`,
  );
  const columns = Array.from({ length: 5 }, () => ({ heading: "", align: "left" as const }));
  const rows = reports.map(({ mse, varianceExplained, l0, deadShare }, i) => [
    names[i],
    `MSE ↓ ${formatNumber(mse, 4)}`,
    `var. expl. ↑ ${formatFixed(varianceExplained, 4)}`,
    `L0 ${formatFixed(l0, 1)}`,
    `dead ↓ ${formatShare(deadShare)}`,
  ]);
  return textTable(columns, rows).split("\n");
}
