import {
  mergeDictionary,
  type Sae,
  type SaeWriter,
  type StitchProgress,
  saeWriters,
  stitchLatents,
} from "@saestitch/core";
import { defineCommand } from "../arguments/command.ts";
import {
  choice,
  flag,
  type OptionValues,
  optionalDecimal,
  required,
  text,
  wholeNumber,
} from "../arguments/option.ts";
import { UsageError } from "../arguments/usage-error.ts";
import type { Context } from "../context.ts";
import { cosineOption } from "../families/family-options.ts";
import { codeOptions } from "../inputs/code-options.ts";
import { openCodes } from "../inputs/open-codes.ts";
import { type Inputs, readingRecord, withInputs } from "../inputs/open-inputs.ts";
import type { HashedFile } from "../inputs/provenance.ts";
import { inputRecord } from "../inputs/sae-record.ts";
import { readingOptions } from "../inputs/sample-options.ts";
import { InterruptedError } from "../interruption.ts";
import { checkReplaceable, replaceFolder } from "../output/replace-folder.ts";
import { withBoosted } from "../stitching/boosted-input.ts";
import { STITCH_SCHEMA, type StitchRun, stitchDocument } from "../stitching/stitch-document.ts";
import { stitchPicture } from "../stitching/stitch-picture.ts";
import { stitchReport } from "../stitching/stitch-report.ts";
import { inThresholdForm } from "../stitching/threshold-inputs.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import type { Progress, StartProgress } from "../terminal/progress.ts";
import { styleFor } from "../terminal/style.ts";
import { saestitchVersion } from "../version.ts";

const RECORD = "stitch.json";
const PICTURE = "stitch.svg";

const options = {
  ...readingOptions,
  method: choice(
    ["greedy", "threshold"],
    "greedy",
    "How latents are chosen: by measured gain, or, as published, those whose cosine to all collected so far is below --cosine",
  ),
  latents: wholeNumber("N", 1, undefined, "Choose at most so many latents"),
  l0: optionalDecimal(
    "X",
    { wanted: "above 0", accepts: (l0) => l0 > 0 && Number.isFinite(l0) },
    "Let at most so many latents be active per token on average",
  ),
  decoder: choice(
    ["keep", "refit"],
    "keep",
    "Directions of the chosen latents: as they are, or fitted anew by least squares",
  ),
  cosine: cosineOption("Below this cosine a latent counts as novel, where the threshold decides"),
  rivals: text("SAE,…", "Trained SAEs to compare with, separated by commas; no latents are taken from them"),
  boosted: text(
    "SAE",
    "An SAE trained on what the smallest SAE leaves (train --residual-of); competes together with that one",
  ),
  layout: choice(
    saeWriters.map(({ name }) => name),
    "saelens",
    "Layout of the SAE that is written",
  ),
  seed: wholeNumber("N", 0, 0, "Seed of the halves of the documents and of the random rival"),
  out: required(text("SAE_DIR", "Write the SAE, stitch.json and stitch.svg into this folder")),
  force: flag("Replace an earlier stitched SAE in --out"),
  ...codeOptions,
} as const;

type StitchOptions = OptionValues<typeof options>;

export const stitch = defineCommand({
  description:
    "Builds Frankenstein's SAE: chooses the latents of several SAEs that together reconstruct best within a budget of latents and of L0, re-fits the decoder " +
    "bias, and writes them as one ordinary SAE that SAELens loads. Latents are chosen on one half of the documents; all figures, and those of its " +
    "rivals at equal latents and equal L0, are of the other half.\n" +
    "An SAE is a folder, a file, or hf:owner/repo/path[@revision].",
  operands: [
    { name: "smallest", help: "the SAE that the published recipe begins with" },
    { name: "next", help: "SAEs that further latents come from, in the order of their width", repeats: true },
  ],
  options,
  examples: [
    {
      does: "The best 512 latents of three SAEs",
      command: "stitch sae-256 sae-512 sae-1024 --activations acts --latents 512 --out stitched",
    },
    {
      does: "At the L0 of a trained SAE that is compared with, directions fitted anew",
      command:
        "stitch sae-256 sae-1024 --activations acts --latents 512 --l0 8.6 --rivals sae-512 --decoder refit --out stitched",
    },
    {
      does: "Beside the smallest SAE and one trained on what it leaves",
      command: "stitch sae-256 sae-1024 --activations acts --latents 512 --boosted boost/256 --out stitched",
    },
    {
      does: "The published recipe",
      command: "stitch sae-256 sae-512 --activations acts --method threshold --out stitched",
    },
  ],

  async run(addresses, options, context) {
    if (options.method === "greedy" && options.latents === undefined && options.l0 === undefined)
      throw new UsageError(
        "--latents N or --l0 X is missing: without a budget every latent that gains would be chosen",
      );
    await checkReplaceable(options.out, { record: RECORD, schema: STITCH_SCHEMA, force: options.force });
    const rivals = options.rivals?.split(",").map((address) => address.trim()) ?? [];
    await withInputs([...addresses, ...rivals], options, context, (inputs) =>
      stitchInputs(inputs, addresses.length, options, context),
    );
  },
});

async function stitchInputs(
  opened: Inputs,
  candidates: number,
  options: StitchOptions,
  context: Context,
): Promise<void> {
  const started = new Date();
  const gathered =
    options.boosted === undefined ? opened : await withBoosted(opened, options.boosted, context.stderr);
  const { saes, forms } = await inThresholdForm(gathered, options);
  const inputs: Inputs = { ...gathered, saes };
  const { latents, l0, method, decoder, cosine, seed } = options;
  const { stitched, activationFiles } = await context.interruption.during(async (signal) => {
    const codes = await openCodes(inputs, options, { context, signal });
    const progress = phaseProgress(inputs.startProgress);
    try {
      const stitched = await stitchLatents(
        codes.coded,
        inputs.kernels,
        {
          ...(latents !== undefined && { latents }),
          ...(l0 !== undefined && { l0 }),
          method,
          decoder,
          cosine,
          seed,
          candidates,
        },
        async (at) => {
          progress.update(at);
          // Choosing is one long computation: signals are only met where it pauses.
          await new Promise((resolve) => setImmediate(resolve));
          if (signal.aborted)
            throw new InterruptedError("Interrupted; the codes made so far are kept, no SAE was written");
        },
      );
      progress.end();
      codes.report();
      return { stitched, activationFiles: codes.activationFiles };
    } finally {
      progress.end();
    }
  });
  const run: StitchRun = {
    saes,
    candidates,
    ...(inputs.residualOf !== undefined && { residualOf: inputs.residualOf }),
    sample: inputs.sample,
    budget: { latents: latents ?? null, l0: l0 ?? null },
    thresholdForms: forms,
    stitched,
  };
  const sae = mergeDictionary(stitched.pool, stitched.dictionary, { location: options.out });
  await writeStitched(run, sae, { options, activationFiles, inputs, started, context });
  const text = options.json
    ? `${JSON.stringify(stitchDocument(run))}\n`
    : stitchReport(run, { width: layoutWidth(context.stdout), style: styleFor(context.stdout) });
  await writeAll(context.stdout, text);
}

async function writeStitched(
  run: StitchRun,
  sae: Sae,
  {
    options,
    activationFiles,
    inputs,
    started,
    context,
  }: {
    readonly options: StitchOptions;
    readonly activationFiles: readonly HashedFile[];
    readonly inputs: Inputs;
    readonly started: Date;
    readonly context: Context;
  },
): Promise<void> {
  const { method, latents = null, l0 = null, decoder, cosine, layout, seed, out } = options;
  const { rivals = null, boosted = null } = options;
  const writer = saeWriters.find(({ name }) => name === layout) as SaeWriter;
  const record = {
    ...stitchDocument(run),
    recipe: {
      command: ["saestitch", ...context.commandLine],
      versions: { saestitch: saestitchVersion, node: process.version, kernels: inputs.kernels.name },
      started: started.toISOString(),
      finished: new Date().toISOString(),
      options: {
        method,
        latents,
        l0,
        decoder,
        cosine,
        rivals,
        boosted,
        layout,
        seed,
        ...readingRecord(options, inputs),
      },
      inputs: {
        saes: run.saes.map(inputRecord),
        activations: { location: run.sample.location, files: activationFiles },
      },
    },
  };
  const encode = (text: string) => [new TextEncoder().encode(text)];
  await replaceFolder(out, {
    ...Object.fromEntries(writer.write(sae).map(({ name, chunks }) => [name, chunks])),
    [RECORD]: encode(`${JSON.stringify(record, null, 1)}\n`),
    [PICTURE]: encode(stitchPicture(run)),
  });
  context.stderr.write(
    `wrote ${[...writer.fileNames, RECORD, PICTURE].map((name) => `${out}/${name}`).join(", ")}\n`,
  );
}

const labels: Readonly<Record<StitchProgress["phase"], { readonly label: string; readonly unit: string }>> = {
  read: { label: "reading", unit: "rows" },
  select: { label: "choosing", unit: "latents" },
  exchange: { label: "exchanging", unit: "latents" },
  fit: { label: "fitting rivals", unit: "dictionaries" },
  measure: { label: "measuring", unit: "rows" },
  evidence: { label: "measuring latents", unit: "rows" },
};

/** Progress of phases that come one after the other, each with a line of its own. */
function phaseProgress(startProgress: StartProgress) {
  let current: { readonly phase: StitchProgress["phase"]; readonly progress: Progress } | undefined;
  return {
    update({ phase, done, of }: StitchProgress): void {
      if (current?.phase !== phase) {
        current?.progress.end();
        current = { phase, progress: startProgress({ ...labels[phase], total: of }) };
      }
      current.progress.update(done);
    },
    end: () => current?.progress.end(),
  };
}
