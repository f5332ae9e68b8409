import {
  type Architecture,
  defaultTrainingData,
  defaultTrainingOptions,
  type TrainingData,
  type TrainingOptions,
} from "@saestitch/core";
import { UsageError } from "../arguments/usage-error.ts";
import type { TrainOptions } from "./train-options.ts";

type Kind = Architecture["kind"];

const K = 32;
const L1 = 0.05;
const TARGET_L0 = 32;
const SPARSITY_WEIGHT = 1;
const BANDWIDTH = 0.001;
const PREFIXES = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1];
const BATCH_ROWS = 4096;
const FEWEST_STEPS = 2000;

/** Options that only some architectures have. */
const applicable = {
  k: ["batchtopk", "topk", "matryoshka"],
  prefixes: ["matryoshka"],
  l1: ["relu", "gated"],
  "target-l0": ["relu", "gated", "jumprelu"],
  "sparsity-weight": ["jumprelu"],
  bandwidth: ["jumprelu"],
  "penalty-warm-up-steps": ["relu", "gated", "jumprelu"],
} as const satisfies Partial<Record<keyof TrainOptions, readonly Kind[]>>;

/** Every SAE of a training, and how all of them read their activations; nothing left to default. */
export interface TrainingPlan {
  readonly trainees: readonly TrainingOptions[];
  readonly data: TrainingData;
}

/** Throws {@link UsageError} for options that contradict one another, whatever the activations are. */
export function checkTrainOptions(options: TrainOptions): void {
  const { architecture, widths, steps, prefixes } = options;
  for (const [name, kinds] of Object.entries(applicable)) {
    const isGiven = options[name as keyof typeof applicable] !== undefined;
    if (isGiven && !(kinds as readonly Kind[]).includes(architecture))
      throw new UsageError(
        `--${name} does not apply to --architecture ${architecture}, only to ${kinds.join(", ")}`,
      );
  }
  if (steps !== undefined && options["train-tokens"] !== undefined)
    throw new UsageError("--steps and --train-tokens both say how long to train; give one of them");
  if (options["activation-scale"] !== "file" && options["residual-of"] === undefined)
    throw new UsageError("--activation-scale is of the SAE that --residual-of names, and none is given");
  if (prefixes?.some((share, i) => i > 0 && share < prefixes[i - 1]) || (prefixes?.at(-1) ?? 1) !== 1)
    throw new UsageError(`--prefixes must ascend and end with 1, not ${prefixes?.join(",")}`);
  const smallest = Math.min(...widths);
  const made = architectureOf(options, smallest, 1);
  const [name, active] = "k" in made ? ["k", made.k] : ["target-l0", made.targetL0 ?? 0];
  if (active >= smallest)
    throw new UsageError(
      `--${name} ${active} must be less than the number of latents, of which the smallest of --widths is ${smallest}`,
    );
}

/** What to train on a sample of `rows` activations of width `d`. Throws {@link UsageError} where options do not fit it. */
export function planTraining(
  options: TrainOptions,
  { rows, d }: { readonly rows: number; readonly d: number },
): TrainingPlan {
  const batchRows = options["batch-rows"] ?? Math.max(1, Math.min(BATCH_ROWS, Math.floor(rows / 8)));
  const steps = stepsOf(options, rows, batchRows);
  const data = defaultTrainingData(d, {
    batchRows,
    seed: options.seed,
    scaleInput: !options["no-scale"],
    center: options.center,
    skipNonFinite: options["skip-nonfinite"],
    ...given({ windowRows: options["window-rows"] }),
  });
  const schedule = given({
    rate: options["learning-rate"],
    warmUpSteps: options["warm-up-steps"],
    decaySteps: options["decay-steps"],
  });
  const trainees = options.widths.flatMap((latents) =>
    (options.seeds ?? [0]).map((seed) =>
      defaultTrainingOptions(
        architectureOf(options, latents, steps),
        { d, latents, steps, batchRows },
        { ...schedule, seed },
      ),
    ),
  );
  return { trainees, data };
}

function stepsOf(options: TrainOptions, rows: number, batchRows: number): number {
  const tokens = options["train-tokens"];
  if (tokens !== undefined) return Math.ceil(tokens / batchRows);
  return options.steps ?? Math.max(FEWEST_STEPS, Math.ceil(rows / batchRows));
}

function architectureOf(options: TrainOptions, latents: number, steps: number): Architecture {
  const { architecture: kind, k = K, l1 } = options;
  const warmUpSteps = options["penalty-warm-up-steps"] ?? Math.floor(steps / 20);
  const targetL0 = options["target-l0"];
  switch (kind) {
    case "topk":
    case "batchtopk":
      return { kind, k };
    case "matryoshka":
      return { kind, k, prefixes: prefixesOf(options.prefixes ?? PREFIXES, latents) };
    case "relu":
    case "gated": {
      const aim = targetL0 ?? (l1 === undefined ? TARGET_L0 : undefined);
      return { kind, l1: l1 ?? L1, l1WarmUpSteps: warmUpSteps, ...given({ targetL0: aim }) };
    }
    case "jumprelu":
      return {
        kind,
        targetL0: targetL0 ?? TARGET_L0,
        sparsityWeight: options["sparsity-weight"] ?? SPARSITY_WEIGHT,
        bandwidth: options.bandwidth ?? BANDWIDTH,
        sparsityWarmUpSteps: warmUpSteps,
      };
    default:
      return kind satisfies never;
  }
}

function prefixesOf(shares: readonly number[], latents: number): number[] {
  const prefixes = shares.map((share) => Math.round(share * latents));
  if (prefixes.some((end, i) => end <= (prefixes[i - 1] ?? 0)))
    throw new UsageError(`--prefixes of ${latents} latents would be of ${prefixes.join(", ")}: give fewer`);
  return prefixes;
}

/** The members that are not undefined: what a default does not stand in for. */
function given<Value extends object>(values: Value): { [Name in keyof Value]?: NonNullable<Value[Name]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Value]?: NonNullable<Value[Name]>;
  };
}
