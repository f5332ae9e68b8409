import {
  activationsInMemory,
  makeToyWorld,
  matrix,
  measureReconstruction,
  referenceKernels,
} from "@saestitch/core";
import { expect, test } from "vitest";
import { directionStatistics, spread } from "./direction-statistics.ts";
import { inspectDocument } from "./inspect-document.ts";

const world = makeToyWorld({ documents: 20 });

test("spread() has the mean of the middle two as median of an even count", () => {
  expect(spread(Float64Array.of(4, 1, 3, 2))).toEqual({ min: 1, median: 2.5, max: 4 });
  expect(spread(Float64Array.of(5))).toEqual({ min: 5, median: 5, max: 5 });
  expect(spread(new Float64Array(0))).toEqual({ min: Number.NaN, median: Number.NaN, max: Number.NaN });
});

test("directionStatistics() measures lengths and cosines, leaving latents of length 0 out of the cosines", () => {
  const { decoderNorms, encoderDecoderCosines } = directionStatistics({
    ...world.smaller,
    encoder: matrix(3, 2, Float32Array.of(1, 0, 0, 2, 5, 5)),
    decoder: matrix(3, 2, Float32Array.of(3, 4, 0, 1, 0, 0)),
  });
  expect(decoderNorms).toEqual({ min: 0, median: 1, max: 5 });
  expect(encoderDecoderCosines.min).toBeCloseTo(0.6, 12);
  expect(encoderDecoderCosines.max).toBe(1);
});

test("inspectDocument() warns only of a measured L0 off by more than a factor of 1.5, either way", async () => {
  const x = activationsInMemory(matrix(1, world.source.d, new Float32Array(world.source.d)));
  const { metrics } = await measureReconstruction(world.smaller, x, referenceKernels);
  const warnings = (l0: number, statedL0: number) =>
    inspectDocument(
      {
        sae: { ...world.smaller, origin: { dialect: "none", statedL0, statedL0Source: "a paper" } },
        location: "x",
        files: [],
        hash: null,
      },
      {
        metrics: { ...metrics, l0 },
        excluded: 0,
        nonFinite: 0,
        sample: { location: "y", rows: 1, excludedTokens: [] },
        formulas: ["standard"],
        activationScale: null,
      },
    ).warnings;
  expect(warnings(10, 14)).toEqual([]);
  expect(warnings(14, 10)).toEqual([]);
  expect(warnings(10, 16)).toEqual([
    expect.stringMatching(/^The measured L0 of 10\.00 is off the 16\.00 that a paper/),
  ]);
  expect(warnings(16, 10)).toHaveLength(1);
});
