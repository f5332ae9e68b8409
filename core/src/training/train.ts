import type { ActivationSource } from "../activations/activation-source.ts";
import { DataError, ShapeError } from "../errors.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { columnSums, sumOfSquares } from "../linalg/norm.ts";
import type { Matrix } from "../tensor/matrix.ts";
import { recycle } from "../tensor/shared.ts";
import { checkTrainingOptions, defaultTrainingData } from "./default-options.ts";
import { initialState } from "./initial-state.ts";
import { inputStatistics } from "./input-statistics.ts";
import { objectiveOf } from "./objectives/objective-of.ts";
import { shuffledBatches, shuffleStart } from "./shuffled-batches.ts";
import { step } from "./step.ts";
import type { TrainingOptions } from "./training-options.ts";
import type { StepReport, TrainingData, TrainingRun } from "./training-run.ts";

/**
 * Prepare to train an SAE for each of `options` on a sample of activations, all in one pass over it. Reads a first, shuffled
 * part of the sample, for the input scale and for where decoder biases begin.
 *
 * Throws {@link ShapeError} for options that no SAE can be trained with or numbers of steps that differ, {@link DataError} for a sample that is smaller than a batch or empty.
 */
export async function startTraining(
  source: ActivationSource,
  options: readonly TrainingOptions[],
  data: Partial<TrainingData> = {},
): Promise<TrainingRun> {
  for (const each of options) checkTrainingOptions(each);
  const [steps, ...others] = new Set(options.map((each) => each.steps));
  if (steps === undefined || others.length > 0)
    throw new ShapeError(
      `Cannot train SAEs for ${[steps, ...others].join(" and ")} steps in one pass, wanted the same number for all of at least one SAE`,
    );
  const resolved = defaultTrainingData(source.d, data);
  if (source.rows < resolved.batchRows)
    throw new DataError(
      `Cannot train on ${source.location}: it has ${source.rows} rows, fewer than the ${resolved.batchRows} of one batch`,
    );
  const { scale, center } = await inputStatistics(source, resolved);
  return {
    data: resolved,
    inputScale: scale,
    trainees: options.map((each) => ({ options: each, state: initialState(each, center) })),
    position: shuffleStart,
  };
}

/**
 * Train until the SAEs of `run` have made their steps, and report each step of each SAE. Changes `run` in place; between
 * two reports it is as after whole steps, and may be kept, encoded, or left off for good.
 *
 * `source` is the sample that the run was started on. Throws DivergenceError when a loss is no longer finite; the run is then as it
 * was before the step or, for some of several SAEs, after it. Throws as `shuffledBatches` does.
 */
export async function* trainSteps(
  run: TrainingRun,
  source: ActivationSource,
  kernels: Kernels,
): AsyncGenerator<readonly StepReport[]> {
  const { data, inputScale } = run;
  const trainees = run.trainees.map(({ options, state }) => ({
    state,
    setting: { objective: objectiveOf(options), options, kernels },
  }));
  const [{ state: first, setting }] = trainees;
  const isFinished = () => first.step >= setting.options.steps;
  if (isFinished()) return;
  for await (const { activations: x, next } of shuffledBatches(source, data, run.position)) {
    if (inputScale !== 1) for (let at = 0; at < x.values.length; at++) x.values[at] *= inputScale;
    const batch = { x, spread: spreadOf(x) };
    const perElement = x.values.length * inputScale ** 2;
    const reports = await Promise.all(
      trainees.map(async ({ state, setting }) => {
        const { sse, ...report } = await step(state, batch, setting);
        return { ...report, mse: sse / perElement };
      }),
    );
    recycle(x.values);
    run.position = next;
    yield reports;
    if (isFinished()) return;
  }
}

/** Σ‖x − mean‖² over the rows. */
function spreadOf(x: Matrix): number {
  return sumOfSquares(x.values) - columnSums(x).reduce((total, sum) => total + sum * sum, 0) / x.rows;
}
