import {
  type ActivationSource,
  DivergenceError,
  type Kernels,
  measureReconstruction,
  residualActivations,
  type SaeOrigin,
  startTraining,
  type TrainingRun,
  type TrainingSettings,
  trainedSae,
} from "@saestitch/core";
import { readCapture } from "@saestitch/models/node";
import { defineCommand } from "../arguments/command.ts";
import type { Context } from "../context.ts";
import { UserError } from "../failure.ts";
import { hashOfHashes } from "../inputs/hash-source.ts";
import { noModel } from "../inputs/model-options.ts";
import { type Inputs, withInputs } from "../inputs/open-inputs.ts";
import type { HashedFile } from "../inputs/provenance.ts";
import { InterruptedError } from "../interruption.ts";
import { announceFiles } from "../output/announce-files.ts";
import { exists, type OutputFolder } from "../output/output-folder.ts";
import { resumeCommand } from "../output/resume-command.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { styleFor } from "../terminal/style.ts";
import { firstRows } from "../training/first-rows.ts";
import { checkTrainOptions, planTraining } from "../training/plan-training.ts";
import { readCheckpoint, writeCheckpoint } from "../training/train-checkpoint.ts";
import { trainDocument } from "../training/train-document.ts";
import { type TrainedFamily, trainFamily } from "../training/train-family.ts";
import { LOG, openTrainFolder, PICTURE, trainOutput } from "../training/train-folder.ts";
import { openTrainLog, type TrainLog } from "../training/train-log.ts";
import { type TrainOptions, trainOptions } from "../training/train-options.ts";
import { trainReport } from "../training/train-report.ts";
import { placeKeys, saeFolders, type TrainRun } from "../training/train-run.ts";
import { writeTraining } from "../training/write-training.ts";
import { saestitchVersion } from "../version.ts";

/** Rows that trained SAEs are measured on at most. */
const MEASURED_ROWS = 65_536;

/** Rows read at a time where it is not batches of the training that are read. */
const READ_ROWS = 2048;

export const train = defineCommand({
  description:
    "Trains SAEs of several widths, or with several seeds, in one pass over the activations; each has the bits it would have if trained alone. " +
    "Writes them as SAELens loads them, with how they were trained, and with curves of the error and of L0.\n" +
    "Interrupted by Ctrl-C it keeps a checkpoint, from which --resume goes on bit for bit.",
  operands: [],
  options: trainOptions,
  examples: [
    {
      does: "Three widths at 32 active latents per token",
      command: "train --activations acts --widths 512,1024,2048 --k 32 --out saes",
    },
    {
      does: "After an interruption",
      command: "train --activations acts --widths 512,1024,2048 --k 32 --out saes --resume",
    },
    {
      does: "ReLU with a penalty steered to nine active latents, two seeds",
      command:
        "train --activations acts --widths 512 --architecture relu --target-l0 9 --seeds 0,1 --out relu",
    },
    {
      does: "Learn what an SAE leaves unexplained",
      command: "train --activations acts --widths 256 --k 8 --residual-of saes/512 --out boost",
    },
  ],

  async run(_, options, context) {
    checkTrainOptions(options);
    const folder = await openTrainFolder(options.out, options);
    const residual = options["residual-of"];
    const addresses = residual === undefined ? [] : [residual];
    await withInputs(addresses, { ...options, ...noModel, "batch-rows": READ_ROWS }, context, (inputs) =>
      trainInputs(inputs, { options, folder, context }),
    );
  },
});

interface Surroundings {
  readonly options: TrainOptions;
  readonly folder: OutputFolder;
  readonly context: Context;
}

async function trainInputs(inputs: Inputs, surroundings: Surroundings): Promise<void> {
  const started = new Date();
  const { sample, kernels } = inputs;
  const { options, folder, context } = surroundings;
  const [residualOf = null] = inputs.saes;
  const rows = firstRows(sample.source, sample.rows);
  const source = residualOf === null ? rows : residualActivations(residualOf.sae, rows, kernels);
  const plan = planTraining(options, source);
  const activationFiles = await sample.hashFiles(inputs.startProgress);
  const settings: TrainingSettings = {
    options: plan.trainees,
    data: plan.data,
    sample: sampleSettings(inputs, options, activationFiles),
  };

  const stored = await storedRun(settings, source.d, surroundings);
  const run = stored ?? (await startTraining(source, settings.options, settings.data));
  const resumedAtStep = run.trainees[0].state.step;
  await folder.begin();
  const log = await openTrainLog(folder.file(LOG), resumedAtStep);
  const { seconds } = await finishSteps({ run, source, log, settings }, inputs, surroundings);

  const trained: TrainRun = {
    run,
    out: options.out,
    ...(await measureTrained(run, source, kernels, inputs, options)),
    sample,
    activationFiles,
    place: await placeOf(options, residualOf),
    residualOf,
    log: log.entries,
    seconds,
  };
  await context.interruption.during(() =>
    writeTraining(folder, trained, {
      commandLine: context.commandLine,
      options: { ...settings },
      kernels: kernels.name,
      started,
      resumedAtStep,
    }),
  );
  const document = trainDocument(trained);
  const text = options.json
    ? `${JSON.stringify(document)}\n`
    : trainReport(document, { width: layoutWidth(context.stdout), style: styleFor(context.stdout) });
  await writeAll(context.stdout, text);
  announceFiles(context.stderr, folder, [...saeFolders(run), LOG, PICTURE]);
}

/**
 * Where and how the activations were read, for cfg.json: what was said of it, else what is known of the SAE whose residual they are, else what the
 * folder says they were captured from.
 */
async function placeOf(
  options: TrainOptions,
  residualOf: TrainRun["residualOf"],
): Promise<TrainRun["place"]> {
  const capture = await readCapture(options.activations);
  const captured = capture && {
    modelName: capture.model.location,
    hook: capture.hook ?? capture.tensor,
    contextSize: capture.context,
    prependBos: capture.bos,
    centredWrites: capture.processing.centred,
  };
  const known: readonly Partial<Record<keyof SaeOrigin, unknown>>[] = [
    { modelName: options.model, hook: options.hook },
    residualOf?.sae.origin ?? {},
    captured ?? {},
  ];
  const place = placeKeys.map((key) => [
    key,
    known.map((one) => one[key]).find((value) => value !== undefined),
  ]);
  return Object.fromEntries(place.filter(([, value]) => value !== undefined));
}

/** What decides the bits of a training beside its options. */
function sampleSettings(
  { sample, saes, activationScale }: Inputs,
  { column }: TrainOptions,
  activationFiles: readonly HashedFile[],
): TrainingSettings["sample"] {
  return {
    saestitch: saestitchVersion,
    activations: hashOfHashes(activationFiles),
    rows: String(sample.rows),
    column: column ?? "found",
    excludedTokens: sample.excludedTokens.join(",") || "none",
    residualOf: saes[0]?.hash ?? "none",
    activationScale: activationScale === null ? "none" : String(activationScale),
  };
}

/** The run in the checkpoint, where that is to be resumed and is there. */
async function storedRun(
  settings: TrainingSettings,
  d: number,
  { options, folder, context }: Surroundings,
): Promise<TrainingRun | undefined> {
  if (!options.resume) return undefined;
  const checkpoint = folder.file(trainOutput.checkpoint);
  if (await exists(checkpoint)) return readCheckpoint(checkpoint, settings, d);
  context.stderr.write(`no checkpoint in ${options.out}: beginning anew\n`);
  return undefined;
}

/** Make the steps that are left. Throws InterruptedError when a signal came first, and UserError on divergence. */
async function finishSteps(
  {
    run,
    source,
    log,
    settings,
  }: {
    readonly run: TrainingRun;
    readonly source: ActivationSource;
    readonly log: TrainLog;
    readonly settings: TrainingSettings;
  },
  { kernels, startProgress }: Inputs,
  { options, folder, context }: Surroundings,
): Promise<TrainedFamily> {
  const checkpoint = folder.file(trainOutput.checkpoint);
  try {
    const trained = await trainFamily(run, source, kernels, context.interruption, {
      log,
      logEverySeconds: options["log-every"],
      startProgress,
      secondsBefore: log.entries.at(-1)?.seconds ?? 0,
      checkpointEverySeconds: options["checkpoint-every"],
      writeCheckpoint: () => writeCheckpoint(checkpoint, run, settings.sample),
    });
    if (!trained.interrupted) return trained;
    const [{ options: trainee, state }] = run.trainees;
    throw new InterruptedError(
      `Interrupted after ${state.step} of ${trainee.steps} steps. Go on with: ${resumeCommand(context.commandLine)}`,
    );
  } catch (cause) {
    if (!(cause instanceof DivergenceError)) throw cause;
    throw new UserError(await divergenceAdvice(cause, run, checkpoint), { cause });
  }
}

async function divergenceAdvice(
  { message }: DivergenceError,
  { trainees }: TrainingRun,
  checkpoint: string,
): Promise<string> {
  const rates = [...new Set(trainees.map(({ options }) => options.rate))];
  const kept = (await exists(checkpoint))
    ? `The last checkpoint from before is kept: ${checkpoint}`
    : "No checkpoint had been written";
  return `${message}. --learning-rate was ${rates.join(", ")}, --warm-up-steps ${trainees[0].options.warmUpSteps}. ${kept}`;
}

/** How each SAE reconstructs as it is written. */
async function measureTrained(
  run: TrainingRun,
  source: ActivationSource,
  kernels: Kernels,
  { startProgress }: Inputs,
  options: TrainOptions,
): Promise<Pick<TrainRun, "measured" | "measuredRows">> {
  const measuredRows = Math.min(MEASURED_ROWS, source.rows);
  const total = measuredRows * run.trainees.length;
  const progress = startProgress({ label: "measuring", unit: "rows", total });
  try {
    const measured = [];
    for (const i of run.trainees.keys())
      measured.push(
        await measureReconstruction(trainedSae(run, i), source, kernels, {
          end: measuredRows,
          skipNonFinite: options["skip-nonfinite"],
          onRows: (done) => progress.update(i * measuredRows + done),
        }),
      );
    return { measured, measuredRows };
  } finally {
    progress.end();
  }
}
