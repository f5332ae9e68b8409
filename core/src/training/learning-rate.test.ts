import { expect, test } from "vitest";
import { defaultTrainingOptions } from "./default-options.ts";
import { learningRate } from "./learning-rate.ts";

const options = defaultTrainingOptions(
  { kind: "topk", k: 2 },
  { d: 8, latents: 16, steps: 10, batchRows: 4 },
  { rate: 1, warmUpSteps: 4, decaySteps: 3 },
);

test("learningRate() rises over the warm-up, stays, and falls so that no step is without effect", () => {
  const rates = Array.from({ length: 10 }, (_, i) => learningRate(options, i + 1));
  expect(rates).toEqual([0.25, 0.5, 0.75, 1, 1, 1, 1, 0.75, 0.5, 0.25]);
});

test("learningRate() is level without warm-up and decay", () => {
  const level = { ...options, warmUpSteps: 0, decaySteps: 0 };
  expect([1, 5, 10].map((step) => learningRate(level, step))).toEqual([1, 1, 1]);
});

test("defaultTrainingOptions() scales the rate with the width, and revives only where there is a k", () => {
  const at = (latents: number, d: number) =>
    defaultTrainingOptions({ kind: "batchtopk", k: 32 }, { d, latents, steps: 100_000, batchRows: 4096 });
  expect(at(16384, 768).rate).toBeCloseTo(2e-4, 12);
  expect(at(4096, 768).rate).toBeCloseTo(4e-4, 12);
  expect(at(16384, 768).auxiliary).toEqual({ weight: 1 / 32, count: 512 });
  expect(at(16384, 64).auxiliary?.count).toBe(32);
  expect(at(16384, 768).deadAfterTokens).toBe(4_096_000);
  expect(at(16384, 768).warmUpSteps).toBe(1000);
  const relu = defaultTrainingOptions(
    { kind: "relu", l1: 0.1, l1WarmUpSteps: 0 },
    { d: 8, latents: 16, steps: 10, batchRows: 4 },
  );
  expect(relu.auxiliary).toBeUndefined();
});
