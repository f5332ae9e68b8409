import {
  compareMetaSae,
  comparisonParts,
  DivergenceError,
  decompose,
  directionFit,
  explainRandomDirections,
  type Kernels,
  type MetaRecipeName,
  type MetaTraining,
  type StepReport,
  trainMetaSae,
} from "@saestitch/core";
import { UserError } from "../failure.ts";
import { InterruptedError } from "../interruption.ts";
import { formatFixed, formatShare } from "../terminal/format-number.ts";
import type { Progress, StartProgress } from "../terminal/progress.ts";
import type { MetaRun, SaeDirections } from "./meta-run.ts";

/** Milliseconds for which shown figures stay, so that they can be read. */
const SHOWN_FOR = 1000;

/** What is to be trained, and what it is to be compared with. */
export interface MetaPlan {
  readonly larger: SaeDirections;
  readonly smaller: SaeDirections | null;
  readonly recipe: MetaRecipeName;
  readonly training: MetaTraining;
  readonly withNull: boolean;
}

/** What works on it. */
export interface MetaTools {
  readonly kernels: Kernels;
  readonly startProgress: StartProgress;
  /** Aborted to stop. */
  readonly signal: AbortSignal;
}

/**
 * Train a meta-SAE, decompose the directions by it, and compare it. Throws InterruptedError when a signal comes first, and
 * {@link UserError} on divergence.
 */
export async function makeMeta(
  { larger, smaller, recipe, training, withNull }: MetaPlan,
  { kernels, ...watched }: MetaTools,
): Promise<MetaRun> {
  const { unit } = larger;
  const { directions } = unit;
  const watch = watchSteps(training.options.steps, watched);
  const tools = { kernels, onStep: watch.onStep };
  try {
    const begun = performance.now();
    watch.begin("training");
    const metaSae = await trainMetaSae(unit, training, tools);
    const seconds = (performance.now() - begun) / 1000;
    const code = await decompose(metaSae, directions, kernels);
    const { decoder, decoderBias: bias } = metaSae;
    const fit = await directionFit(directions, { code, decoder, bias }, kernels);
    const made = { larger, recipe, training, seconds, metaSae, code, fit };
    if (smaller !== null) {
      const result = await compareMetaSae(metaSae, unit, smaller.unit, training, {
        ...tools,
        onPart: (part) =>
          watch.begin(`${part} (${comparisonParts.indexOf(part) + 1} of ${comparisonParts.length})`),
        onRegressed: watch.onDirections,
      });
      const { randomDirections: nullFit, toLarger } = result;
      return { ...made, nullFit, toLarger, comparison: { smaller, result } };
    }
    if (withNull) watch.begin("random directions");
    const nullFit = withNull ? await explainRandomDirections(directions, training, tools) : null;
    const toLarger = await kernels.match(decoder, directions, 1);
    return { ...made, nullFit, toLarger, comparison: null };
  } catch (cause) {
    if (!(cause instanceof DivergenceError)) throw cause;
    throw new UserError(cause.message, { cause });
  } finally {
    watch.end();
  }
}

/** Progress of parts that come one after the other, each with a line of its own: trainings with a line of figures below, and others. */
function watchSteps(steps: number, { startProgress, signal }: Omit<MetaTools, "kernels">) {
  let label = "";
  let progress: Progress | undefined;
  let figures: readonly string[] = [];
  let shown = Number.NEGATIVE_INFINITY;
  const stopWhenAsked = () => {
    if (signal.aborted) throw new InterruptedError("Interrupted; nothing was written");
  };
  const update = (unit: string, done: number, total: number) => {
    stopWhenAsked();
    progress ??= startProgress({ label, unit, total, start: done, details: () => figures });
    progress.update(done);
  };
  return {
    begin(part: string): void {
      stopWhenAsked();
      progress?.end();
      progress = undefined;
      label = part;
      figures = [];
    },
    onStep(report: StepReport): void {
      const now = performance.now();
      if (now - shown >= SHOWN_FOR) {
        figures = [figuresOf(report)];
        shown = now;
      }
      update("steps", report.step, steps);
    },
    onDirections: (done: number, of: number) => update("directions", done, of),
    end: () => progress?.end(),
  };
}

function figuresOf({ varianceExplained, l0, deadShare }: StepReport): string {
  return `var. expl. ↑ ${formatFixed(varianceExplained, 4)}  active ${formatFixed(l0, 2)}  dead ↓ ${formatShare(deadShare)}`;
}
