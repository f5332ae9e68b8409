import {
  checkLabelOptions,
  checkWidths,
  type Kernels,
  labelLatents,
  type Pair,
  pairSaes,
  type Sae,
} from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";
import { defineCommand } from "../arguments/command.ts";
import {
  choice,
  decimal,
  flag,
  type OptionValues,
  required,
  text,
  wholeNumber,
} from "../arguments/option.ts";
import { UsageError } from "../arguments/usage-error.ts";
import type { Context } from "../context.ts";
import { applyActivationScale, estimateActivationScale } from "../inputs/activation-scale.ts";
import { openSaeInput } from "../inputs/open-sae-input.ts";
import { openSample, type Sample } from "../inputs/open-sample.ts";
import type { SaeInput } from "../inputs/provenance.ts";
import { sampleOptions } from "../inputs/sample-options.ts";
import { InterruptedError } from "../interruption.ts";
import {
  type CheckpointKey,
  checkpointKey,
  readCheckpoint,
  resumeCommand,
  writeCheckpoint,
} from "../labelling/checkpoint.ts";
import type { LabelRun } from "../labelling/label-run.ts";
import { measurePair } from "../labelling/measure-pair.ts";
import { exists, type OutputFolder, openOutputFolder } from "../labelling/output-folder.ts";
import { printLabelRun } from "../labelling/print-label-run.ts";
import { writeLabelRun } from "../labelling/write-label-run.ts";
import { progressMode, type StartProgress, startProgress } from "../terminal/progress.ts";

const options = {
  ...sampleOptions,
  activations: required(sampleOptions.activations),
  out: text(
    "DIR",
    "Write latents.parquet, run.json and label.svg into this folder, and checkpoints on the way",
  ),
  json: flag("Print one JSON document instead of tables (docs/label-output.md)"),
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
  "skip-nonfinite": flag("Leave out rows with NaN or infinite values instead of refusing them"),
  seed: wholeNumber("N", 0, 0, "Seed of the bootstrap and of the random directions"),
  "checkpoint-every": wholeNumber("SECONDS", 0, 30, "Time between two checkpoints"),
  quiet: flag("Show no progress"),
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
    const folder = out === undefined ? undefined : await openOutputFolder(out, options);
    const progress: StartProgress = (work) =>
      startProgress(context.stderr, work, { mode: progressMode(context.stderr, options) });
    const closers: (() => Promise<void>)[] = [];
    try {
      const sample = await openSample(options.activations, {
        ...options,
        exclude: options["exclude-tokens"],
      });
      closers.push(sample.close);
      const kernels = await openKernels(options.threads === undefined ? {} : { threads: options.threads });
      closers.push(() => kernels.close());
      const inputs = [
        await openSaeInput(smaller, { stderr: context.stderr, startProgress: progress }),
        await openSaeInput(larger, { stderr: context.stderr, startProgress: progress }),
      ] as const;
      await labelInputs(inputs, sample, kernels, { options, folder, progress, context });
    } finally {
      for (const close of closers.reverse()) await close();
    }
  },
});

interface Surroundings {
  readonly options: LabelCommandOptions;
  readonly folder: OutputFolder | undefined;
  readonly progress: StartProgress;
  readonly context: Context;
}

async function labelInputs(
  [smaller, larger]: readonly [SaeInput, SaeInput],
  sample: Sample,
  kernels: Kernels,
  { options, folder, progress, context }: Surroundings,
): Promise<void> {
  const started = new Date();
  const { gating, bias, fdr, seed } = options;
  const labelOptions = { gating, bias, falseDiscoveryRate: fdr, seed };
  warnAbout([smaller, larger], context);
  const {
    saes: [host, donor],
    factor,
  } = await scaled([smaller.sae, larger.sae], sample, options);
  checkWidths({ smaller: host, larger: donor }, sample.source);
  checkLabelOptions(host, donor, labelOptions);
  const pair = await pairSaes(host, donor, kernels);

  const activationFiles = folder === undefined ? [] : await sample.hashFiles(progress);
  const resolved = {
    gating,
    bias,
    fdr,
    seed,
    rows: sample.rows,
    column: options.column ?? null,
    excludeTokens: sample.excludedTokens,
    skipNonFinite: options["skip-nonfinite"],
    activationScale: factor,
    batchRows: options["batch-rows"],
  };
  await folder?.begin();
  const { sums, from } = await measure(pair, sample, kernels, {
    key: checkpointKey({ smaller, larger, activationFiles, options: resolved }),
    surroundings: { options, folder, progress, context },
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
  { source, rows }: Sample,
  kernels: Kernels,
  {
    key,
    surroundings: { options, folder, progress, context },
  }: { readonly key: CheckpointKey; readonly surroundings: Surroundings },
) {
  const place = folder && {
    everySeconds: options["checkpoint-every"],
    write: (sums: Parameters<typeof writeCheckpoint>[1]) => writeCheckpoint(folder.checkpoint, sums, key),
  };
  const stored = options.resume && folder && (await exists(folder.checkpoint));
  if (options.resume && !stored) context.stderr.write(`no checkpoint in ${options.out}: beginning anew\n`);
  const from = stored && folder ? await readCheckpoint(folder.checkpoint, pair, key) : undefined;
  const shown = progress({ label: "labelling", unit: "rows", total: rows, start: from?.end ?? 0 });
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

function scaled(saes: readonly [Sae, Sae], { source, rows }: Sample, options: LabelCommandOptions) {
  return applyActivationScale(saes, options["activation-scale"], () =>
    estimateActivationScale(source, {
      end: rows,
      skipNonFinite: options["skip-nonfinite"],
      batchRows: options["batch-rows"],
    }),
  );
}

function warnAbout([smaller, larger]: readonly [SaeInput, SaeInput], { stderr }: Context): void {
  for (const { sae, location } of [smaller, larger]) {
    for (const warning of sae.origin.warnings ?? []) stderr.write(`warning: ${location}: ${warning}\n`);
  }
  if (larger.sae.decoder.rows < smaller.sae.decoder.rows) {
    stderr.write(
      `warning: the first SAE has more latents than the second (${smaller.sae.decoder.rows} and ${larger.sae.decoder.rows}); the smaller one comes first, did you mean to swap them?\n`,
    );
  }
}
