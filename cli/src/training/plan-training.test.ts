import { describe, expect, test } from "vitest";
import { parseArguments } from "../arguments/parse-arguments.ts";
import { UsageError } from "../arguments/usage-error.ts";
import { checkTrainOptions, planTraining } from "./plan-training.ts";
import { trainOptions } from "./train-options.ts";

const sample = { rows: 80_000, d: 64 };

function plan(line: string) {
  const words = ["--activations", "a", "--out", "o", ...line.split(" ")];
  const { options } = parseArguments(words, [], trainOptions);
  checkTrainOptions(options);
  return planTraining(options, sample);
}

describe("planTraining()", () => {
  test("makes an SAE of each width and seed", () => {
    const { trainees } = plan("--widths 512,1024 --seeds 3,4");
    expect(trainees.map(({ latents, seed }) => [latents, seed])).toEqual([
      [512, 3],
      [512, 4],
      [1024, 3],
      [1024, 4],
    ]);
    for (const { architecture } of trainees) expect(architecture).toEqual({ kind: "batchtopk", k: 32 });
  });

  test("takes batches of an eighth of a small sample at most, and one pass or 2000 steps", () => {
    const [{ steps, warmUpSteps, decaySteps }] = plan("--widths 512").trainees;
    expect([steps, warmUpSteps, decaySteps]).toEqual([2000, 100, 400]);
    expect(plan("--widths 512").data.batchRows).toBe(4096);
    expect(plan("--widths 512 --batch-rows 16").trainees[0].steps).toBe(5000);
    expect(plan("--widths 512 --batch-rows 300 --train-tokens 1000").trainees[0].steps).toBe(4);
    const { options } = parseArguments(
      ["--activations", "a", "--out", "o", "--widths", "64"],
      [],
      trainOptions,
    );
    expect(planTraining(options, { rows: 801, d: 64 }).data.batchRows).toBe(100);
    expect(planTraining(options, { rows: 3, d: 64 }).data.batchRows).toBe(1);
  });

  test("passes on what is given", () => {
    const { trainees, data } = plan(
      "--widths 64 --learning-rate 0.01 --warm-up-steps 0 --decay-steps 7 --seed 5 --window-rows 999 --center mean --no-scale --skip-nonfinite",
    );
    expect(trainees[0]).toMatchObject({ rate: 0.01, warmUpSteps: 0, decaySteps: 7 });
    expect(data).toMatchObject({
      seed: 5,
      windowRows: 999,
      center: "mean",
      scaleInput: false,
      skipNonFinite: true,
    });
  });

  test("knows the numbers of each architecture", () => {
    const architecture = (line: string) => plan(`--widths 64 --steps 100 ${line}`).trainees[0].architecture;
    expect(architecture("--architecture matryoshka --k 3")).toEqual({
      kind: "matryoshka",
      k: 3,
      prefixes: [4, 8, 16, 32, 64],
    });
    expect(architecture("--architecture matryoshka --k 3 --prefixes 1/3,0.5,1")).toMatchObject({
      prefixes: [21, 32, 64],
    });
    expect(architecture("--architecture relu")).toEqual({
      kind: "relu",
      l1: 0.05,
      l1WarmUpSteps: 5,
      targetL0: 32,
    });
    expect(architecture("--architecture gated --l1 2")).toEqual({ kind: "gated", l1: 2, l1WarmUpSteps: 5 });
    expect(architecture("--architecture jumprelu --target-l0 9 --penalty-warm-up-steps 0")).toEqual({
      kind: "jumprelu",
      targetL0: 9,
      sparsityWeight: 1,
      bandwidth: 0.001,
      sparsityWarmUpSteps: 0,
    });
  });

  test.each([
    ["--k 3", "--widths M,… is missing"],
    ["--widths 32 --k 32", "--k 32 must be less than"],
    ["--widths 64,16 --k 20", "smallest of --widths is 16"],
    ["--widths 16 --architecture jumprelu", "--target-l0 32 must be less than"],
    ["--widths 64,32,64", "--widths must not name 64 twice"],
    ["--widths 64,0", "--widths must be whole numbers of at least 1, separated by commas"],
    ["--widths 64,", "--widths must be whole numbers of at least 1"],
    ["--widths 64 --seeds 1,1", "--seeds must not name 1 twice"],
    ["--widths 64 --architecture vanilla", "--architecture must be batchtopk, topk, relu"],
    ["--widths 64 --l1 1", "--l1 does not apply to --architecture batchtopk, only to relu, gated"],
    ["--widths 64 --architecture relu --k 3", "--k does not apply to --architecture relu"],
    ["--widths 64 --architecture gated --bandwidth 1", "--bandwidth does not apply to --architecture gated"],
    ["--widths 64 --architecture relu --sparsity-weight 1", "--sparsity-weight does not apply"],
    ["--widths 64 --architecture topk --penalty-warm-up-steps 1", "--penalty-warm-up-steps does not apply"],
    ["--widths 64 --prefixes 1/2,1", "--prefixes does not apply to --architecture batchtopk"],
    ["--widths 64 --architecture matryoshka --prefixes 1/2,1/4,1", "--prefixes must ascend and end with 1"],
    ["--widths 64 --architecture matryoshka --prefixes 1/2", "--prefixes must ascend and end with 1"],
    ["--widths 64 --architecture matryoshka --prefixes 2,1", "--prefixes must be ascending shares"],
    [
      "--widths 64 --architecture matryoshka --prefixes 1/500,1",
      "--prefixes of 64 latents would be of 0, 64",
    ],
    ["--widths 64 --steps 5 --train-tokens 500", "--steps and --train-tokens"],
    ["--widths 64 --activation-scale 2", "--residual-of"],
    ["--widths 64 --learning-rate 0", "--learning-rate must be above 0"],
  ])("refuses %s", (line, complaint) => {
    expect(() => plan(line)).toThrow(UsageError);
    expect(() => plan(line)).toThrow(complaint);
  });
});
