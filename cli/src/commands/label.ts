import {
  checkLabelOptions,
  checkWidths,
  type LabelSums,
  labelLatents,
  type Pair,
  pairSaes,
  type Sae,
} from "@saestitch/core";
import { defineCommand } from "../arguments/command.ts";
import { choice, decimal, flag, type OptionValues, text, wholeNumber } from "../arguments/option.ts";
import { UsageError } from "../arguments/usage-error.ts";
import type { Context } from "../context.ts";
import { type Inputs, readingRecord, withInputs } from "../inputs/open-inputs.ts";
import { readingOptions } from "../inputs/sample-options.ts";
import { InterruptedError } from "../interruption.ts";
import {
  type CheckpointKey,
  checkpointKey,
  readCheckpoint,
  writeCheckpoint,
} from "../labelling/checkpoint.ts";
import type { LabelRun } from "../labelling/label-run.ts";
import { measurePair } from "../labelling/measure-pair.ts";
import { printLabelRun } from "../labelling/print-label-run.ts";
import { labelOutput, writeLabelRun } from "../labelling/write-label-run.ts";
import { exists, type OutputFolder, openOutputFolder } from "../output/output-folder.ts";
import { resumeCommand } from "../output/resume-command.ts";

const options = {
  ...readingOptions,
  out: text(
    "DIR",
    "Write latents.parquet, run.json and label.svg into this folder, and checkpoints on the way",
  ),
  resume: flag("Go on from the checkpoint in --out"),
  force: flag("Replace a finished labelling in --out"),
  fdr: decimal(
    "Q",
    0.05,
    { wanted: "above 0 and below 1", accepts: (q) => q > 0 && q < 1 },
    "False-discovery rate: share of wrong signs tolerated among the decided latents",
  ),
  gating: choice(
    ["independent", "joint"],
    "independent",
    "For TopK SAEs: whether an inserted latent fires as in its own SAE or competes with the smaller SAE's latents for its k places",
  ),
  bias: choice(
    ["host", "refit"],
    "host",
    "Decoder bias of the smaller SAE when a latent is inserted: as it is, or re-fitted before and after",
  ),
  seed: wholeNumber("N", 0, 0, "Seed of the bootstrap and of the random directions"),
  "checkpoint-every": wholeNumber("SECONDS", 0, 30, "Time between two checkpoints"),
} as const;

type LabelCommandOptions = OptionValues<typeof options>;

export const label = defineCommand({
  description:
    "Reads the activations once and says of each latent of the larger SAE whether inserting it alone into the smaller one improves " +
    "reconstruction (novel) or not (reconstruction), with the change of the error, its standard error, and the nearest latent of the smaller.\n" +
    "An SAE is a folder, a file, or hf:owner/repo/path[@revision].",
  operands: [
    { name: "smaller", help: "the SAE that latents are inserted into" },
    { name: "larger", help: "the SAE whose latents are labelled" },
  ],
  options,
  examples: [
    { does: "Print the tables", command: "label sae-256 sae-512 --activations acts" },
    {
      does: "Keep everything; after an interruption, go on with --resume",
      command: "label sae-256 sae-512 --activations acts --out labels",
    },
    {
      does: "Read the SAEs from the hub, write the document of all latents",
      command: "label hf:me/saes/a hf:me/saes/b --activations acts --json > ab.json",
    },
  ],

  async run([smaller, larger], options, context) {
    const { out, resume } = options;
    if (resume && out === undefined)
      throw new UsageError("--resume needs --out DIR, the folder with the checkpoint");
    const folder = out === undefined ? undefined : await openOutputFolder(out, labelOutput, options);
    await withInputs([smaller, larger], options, context, (inputs) =>
      labelInputs(inputs, { options, folder, context }),
    );
  },
});

interface Surroundings {
  readonly options: LabelCommandOptions;
  readonly folder: OutputFolder | undefined;
  readonly context: Context;
}

async function labelInputs(inputs: Inputs, { options, folder, context }: Surroundings): Promise<void> {
  const started = new Date();
  const { sample, kernels, startProgress } = inputs;
  const [smaller, larger] = inputs.saes;
  const { gating, bias, fdr, seed } = options;
  const labelOptions = { gating, bias, falseDiscoveryRate: fdr, seed };
  warnOfOrder(smaller.sae, larger.sae, context);
  checkWidths({ smaller: smaller.sae, larger: larger.sae }, sample.source);
  checkLabelOptions(smaller.sae, larger.sae, labelOptions);
  const pair = await pairSaes(smaller.sae, larger.sae, kernels);

  const activationFiles = folder === undefined ? [] : await sample.hashFiles(startProgress);
  const resolved = { gating, bias, fdr, seed, ...readingRecord(options, inputs) };
  await folder?.begin();
  const { sums, from } = await measure(pair, inputs, {
    key: checkpointKey({ smaller, larger, activationFiles, options: resolved }),
    surroundings: { options, folder, context },
  });
  const run: LabelRun = {
    smaller,
    larger,
    sample,
    labels: await labelLatents(pair, sums, kernels, labelOptions),
  };
  if (folder !== undefined) {
    await context.interruption.during(() =>
      writeLabelRun(folder, run, {
        commandLine: context.commandLine,
        options: resolved,
        activationFiles,
        kernels: kernels.name,
        started,
        resumedAtRow: from,
      }),
    );
  }
  await printLabelRun(run, context, { json: options.json, folder });
}

/** Measure all rows, from the checkpoint on where one is to be resumed. */
async function measure(
  pair: Pair,
  { sample: { source, rows }, kernels, startProgress }: Inputs,
  {
    key,
    surroundings: { options, folder, context },
  }: { readonly key: CheckpointKey; readonly surroundings: Surroundings },
) {
  const checkpoint = folder?.file(labelOutput.checkpoint);
  const place =
    checkpoint === undefined
      ? undefined
      : {
          everySeconds: options["checkpoint-every"],
          write: (sums: LabelSums) => writeCheckpoint(checkpoint, sums, key),
        };
  const stored = options.resume && checkpoint !== undefined && (await exists(checkpoint));
  if (options.resume && !stored) context.stderr.write(`no checkpoint in ${options.out}: beginning anew\n`);
  const from = stored ? await readCheckpoint(checkpoint, pair, key) : undefined;
  const shown = startProgress({ label: "labelling", unit: "rows", total: rows, start: from?.end ?? 0 });
  try {
    const { sums, interrupted } = await measurePair(pair, source, kernels, context.interruption, {
      from,
      end: rows,
      gating: options.gating,
      skipNonFinite: options["skip-nonfinite"],
      batchRows: options["batch-rows"],
      checkpoint: place,
      onRows: shown.update,
    });
    if (!interrupted) return { sums, from: from?.end ?? 0 };
    throw new InterruptedError(
      `Interrupted after ${sums.end} of ${rows} rows. ${
        folder === undefined
          ? "Nothing was kept; with --out DIR the work could be resumed"
          : `Go on with: ${resumeCommand(context.commandLine)}`
      }`,
    );
  } finally {
    shown.end();
  }
}

function warnOfOrder(smaller: Sae, larger: Sae, { stderr }: Context): void {
  const [first, second] = [smaller, larger].map(({ decoder }) => decoder.rows);
  if (second < first)
    stderr.write(
      `warning: the first SAE has more latents than the second (${first} and ${second}); the smaller one comes first, did you mean to swap them?\n`,
    );
}
