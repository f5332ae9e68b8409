import { type OptionValues, wholeNumber, wholeNumbers } from "../arguments/option.ts";
import { UsageError } from "../arguments/usage-error.ts";

const DEFAULT_STEPS = 9;

/** Options that say where on a trajectory losses are measured. */
export const lossStepOptions = {
  "loss-steps": wholeNumber(
    "K",
    2,
    undefined,
    `With --model: measure losses at K evenly spread steps, both ends among them (default ${DEFAULT_STEPS})`,
  ),
  "loss-at": wholeNumbers(
    "STEP,STEP,…",
    0,
    "With --model: measure losses after these steps, 0 being the smaller SAE",
  ),
} as const;

/** Throw {@link UsageError} when the options name steps in two ways. */
export function checkLossSteps({
  "loss-steps": count,
  "loss-at": at,
}: OptionValues<typeof lossStepOptions>): void {
  if (count !== undefined && at !== undefined)
    throw new UsageError("--loss-steps and --loss-at exclude each other");
}

/**
 * After which steps of a plan of `steps` losses are measured, ascending. Throws {@link UsageError} for one that the plan does not have.
 */
export function lossSteps(
  { "loss-steps": count = DEFAULT_STEPS, "loss-at": at }: OptionValues<typeof lossStepOptions>,
  steps: number,
): number[] {
  const beyond = at?.find((step) => step > steps);
  if (beyond !== undefined)
    throw new UsageError(`--loss-at names step ${beyond}, but the steps of the plan are 0 to ${steps}`);
  if (at !== undefined) return at.toSorted((a, b) => a - b);
  const spread = Array.from({ length: count }, (_, i) => Math.round((i * steps) / (count - 1)));
  return [...new Set(spread)];
}
