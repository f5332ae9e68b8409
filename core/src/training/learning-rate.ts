import type { TrainingOptions } from "./training-options.ts";

/** The learning rate of step `step`, from 1: up from zero over the warm-up, level, down to zero over the decay. */
export function learningRate(
  { rate, steps, warmUpSteps, decaySteps }: TrainingOptions,
  step: number,
): number {
  const rising = warmUpSteps === 0 ? 1 : step / warmUpSteps;
  const falling = decaySteps === 0 ? 1 : (steps - step + 1) / (decaySteps + 1);
  return rate * Math.max(0, Math.min(1, rising, falling));
}
