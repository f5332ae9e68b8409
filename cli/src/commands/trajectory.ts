import { readFile } from "node:fs/promises";
import {
  measureTrajectory,
  type PlannedPair,
  parsePlan,
  planTrajectory,
  trajectoryBiases,
  trajectory as trajectoryOf,
} from "@saestitch/core";
import { defineCommand } from "../arguments/command.ts";
import { choice, flag, type OptionValues, text, wholeNumber } from "../arguments/option.ts";
import type { Context } from "../context.ts";
import { familyOptions } from "../families/family-options.ts";
import { codeOptions } from "../inputs/code-options.ts";
import { type OpenCodes, openCodes } from "../inputs/open-codes.ts";
import { type Inputs, readingRecord, withInputs } from "../inputs/open-inputs.ts";
import { readingOptions } from "../inputs/sample-options.ts";
import { checkLossOptions, lossOptions } from "../losses/loss-options.ts";
import { type LossMeter, withLosses } from "../losses/with-losses.ts";
import { announceFiles } from "../output/announce-files.ts";
import { type OutputFolder, openOutputFolder } from "../output/output-folder.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { styleFor } from "../terminal/style.ts";
import { checkLossSteps, lossStepOptions, lossSteps } from "../trajectory/loss-steps.ts";
import { type TrajectoryRun, trajectoryDocument } from "../trajectory/trajectory-document.ts";
import { measureTrajectoryLosses } from "../trajectory/trajectory-losses.ts";
import { trajectoryReport } from "../trajectory/trajectory-report.ts";
import { trajectoryOutput, writeTrajectory } from "../trajectory/write-trajectory.ts";

const options = {
  ...readingOptions,
  plan: text("FILE", "Run this plan instead of making one: JSON as --out writes it, perhaps changed by hand"),
  order: choice(
    ["cosine", "gain", "random"],
    "cosine",
    "Order within insertions and within swaps: least similar novel latents and most similar families first, largest measured gain first, or shuffled",
  ),
  bias: choice(
    trajectoryBiases,
    "host",
    "Decoder bias on the way: the smaller's, from the smaller's to the larger's, re-fitted at every step, or the larger's",
  ),
  ...lossOptions,
  ...lossStepOptions,
  ...familyOptions,
  seed: wholeNumber("N", 0, 0, "Seed of --order random"),
  out: text("DIR", "Write plan.json, trajectory.parquet, trajectory.svg and run.json into this folder"),
  force: flag("Replace an earlier trajectory in --out"),
  ...codeOptions,
} as const;

type TrajectoryOptions = OptionValues<typeof options>;

export const trajectory = defineCommand({
  description:
    "Inserts the novel latents of the larger SAE into the smaller one by one, then swaps families of latents that both have, and at last removes what " +
    "has no counterpart: the smaller SAE becomes the larger. MSE, variance explained and L0 are exact after every step, from one pass. " +
    "With a model and a text also what the model loses at some of the steps.\n" +
    "An SAE is a folder, a file, or hf:owner/repo/path[@revision].",
  operands: [
    { name: "smaller", help: "the SAE to begin with" },
    { name: "larger", help: "the SAE to end with" },
  ],
  options,
  examples: [
    { does: "The whole way", command: "trajectory sae-256 sae-512 --activations acts" },
    {
      does: "By measured gain, the bias re-fitted, everything kept",
      command: "trajectory sae-256 sae-512 --activations acts --order gain --bias refit --out way",
    },
    {
      does: "Run a plan that was changed by hand",
      command: "trajectory sae-256 sae-512 --activations acts --plan way/plan.json",
    },
    {
      does: "With the model's cross-entropy at five steps",
      command:
        "trajectory sae-256 sae-512 --model model --text stories.jsonl --loss-steps 5 --loss-tokens 50_000",
    },
  ],

  async run([smaller, larger], options, context) {
    checkLossOptions(options, ["loss-tokens", "loss-steps", "loss-at"]);
    checkLossSteps(options);
    const { out, force } = options;
    const folder = out === undefined ? undefined : await openOutputFolder(out, trajectoryOutput, { force });
    await withInputs([smaller, larger], options, context, (inputs) =>
      withLosses(inputs, options, (losses) => walkInputs(inputs, { losses, options, folder, context })),
    );
  },
});

async function walkInputs(
  inputs: Inputs,
  {
    losses,
    options,
    folder,
    context,
  }: {
    readonly losses: LossMeter | undefined;
    readonly options: TrajectoryOptions;
    readonly folder: OutputFolder | undefined;
    readonly context: Context;
  },
): Promise<void> {
  const started = new Date();
  const { sample, kernels, startProgress } = inputs;
  const [smaller, larger] = inputs.saes;
  const pair: PlannedPair = {
    smaller: { location: smaller.location, hash: smaller.hash, latents: smaller.sae.decoder.rows },
    larger: { location: larger.location, hash: larger.hash, latents: larger.sae.decoder.rows },
  };
  const given =
    options.plan === undefined ? undefined : parsePlan(await readFile(options.plan), options.plan, pair);
  const { activationFiles, ...walked } = await context.interruption.during(async (signal) => {
    const codes = await openCodes(inputs, options, { context, signal });
    const plan = given ?? (await makePlanFor(pair, codes, inputs, options));
    const at = losses && lossSteps(options, plan.steps.length);
    const progress = startProgress({ label: "trajectory", unit: "rows", total: sample.rows });
    const sums = await measureTrajectory(codes.coded, plan.steps, kernels, {
      onRows: progress.update,
    }).finally(progress.end);
    codes.report();
    const [from, to] = codes.coded.saes;
    const walk = { smaller: from, larger: to, steps: plan.steps };
    const trajectory = trajectoryOf(walk, sums, { bias: options.bias });
    const { activationFiles } = codes;
    if (losses === undefined || at === undefined) return { plan, trajectory, activationFiles };
    const measured = { walk, sums, trajectory };
    const lost = await measureTrajectoryLosses(losses, measured, at, { kernels, signal });
    return { plan, trajectory, losses: lost, activationFiles };
  });
  const run: TrajectoryRun = { smaller, larger, sample, ...walked };
  if (folder !== undefined) {
    const { order, bias, cosine, rule, seed } = options;
    await folder.begin();
    const files = await writeTrajectory(folder, run, {
      commandLine: context.commandLine,
      started,
      options: {
        plan: options.plan ?? null,
        order,
        bias,
        cosine,
        rule,
        seed,
        lossTokens: options["loss-tokens"] ?? null,
        lossAt: run.losses?.steps.map(({ step }) => step) ?? null,
        ...readingRecord(options, inputs),
      },
      activationFiles,
      kernels: kernels.name,
    });
    announceFiles(context.stderr, folder, files);
  }
  const text = options.json
    ? `${JSON.stringify(trajectoryDocument(run))}\n`
    : trajectoryReport(run, { width: layoutWidth(context.stdout), style: styleFor(context.stdout) });
  await writeAll(context.stdout, text);
}

async function makePlanFor(
  pair: PlannedPair,
  { coded }: OpenCodes,
  { kernels, sample, startProgress }: Inputs,
  { order, cosine, rule, seed }: TrajectoryOptions,
) {
  const progress = startProgress({ label: "planning", unit: "rows", total: 2 * sample.rows });
  try {
    return await planTrajectory(coded, pair, kernels, { order, cosine, rule, seed, onRows: progress.update });
  } finally {
    progress.end();
  }
}
