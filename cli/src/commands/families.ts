import { cosineFamilies, measureFamilies } from "@saestitch/core";
import { defineCommand } from "../arguments/command.ts";
import { decimal, flag, type OptionValues, text } from "../arguments/option.ts";
import { UsageError } from "../arguments/usage-error.ts";
import type { Context } from "../context.ts";
import { type FamiliesRun, familiesDocument } from "../families/families-document.ts";
import { familiesReport } from "../families/families-report.ts";
import { familyOptions } from "../families/family-options.ts";
import { familiesOutput, writeFamilies } from "../families/write-families.ts";
import { codeOptions } from "../inputs/code-options.ts";
import { openCodes } from "../inputs/open-codes.ts";
import { announceWarnings, type Inputs, readingRecord, withInputs } from "../inputs/open-inputs.ts";
import type { HashedFile } from "../inputs/provenance.ts";
import { namesSample, readingOptions } from "../inputs/sample-options.ts";
import { withSaes } from "../inputs/with-saes.ts";
import { announceFiles } from "../output/announce-files.ts";
import { type OutputFolder, openOutputFolder } from "../output/output-folder.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { styleFor } from "../terminal/style.ts";

const options = {
  ...readingOptions,
  ...familyOptions,
  coverage: decimal(
    "C",
    0.5,
    { wanted: "above 0 and at most 1", accepts: (share) => share > 0 && share <= 1 },
    "Share of what one of a pair does that must fall where the other fires",
  ),
  fdr: decimal(
    "Q",
    0.05,
    { wanted: "above 0 and below 1", accepts: (q) => q > 0 && q < 1 },
    "False-discovery rate: share of wrong signs tolerated among what is decided",
  ),
  out: text(
    "DIR",
    "Write families.parquet, latents.parquet, pairs.parquet, families.svg and run.json into this folder",
  ),
  force: flag("Replace earlier families in --out"),
  ...codeOptions,
} as const;

type FamiliesOptions = OptionValues<typeof options>;

export const families = defineCommand({
  description:
    "Joins latents of both SAEs whose directions are close into families, which must be swapped together: connected components of pairs. " +
    "With --activations it also says of each latent of the larger SAE what it is (copy, split, absorbing, composed, novel), and what swapping each family " +
    "does to error and L0, exactly.\n" +
    "An SAE is a folder, a file, or hf:owner/repo/path[@revision].",
  operands: [
    { name: "smaller", help: "the SAE that latents would leave" },
    { name: "larger", help: "the SAE that latents would come from" },
  ],
  options,
  examples: [
    { does: "Sizes of the families, from the directions alone", command: "families sae-256 sae-512" },
    {
      does: "Kinds and swaps, families by evidence, everything kept",
      command: "families sae-256 sae-512 --activations acts --rule evidence --out families",
    },
  ],

  async run([smaller, larger], options, context) {
    const { out, force } = options;
    const isSampled = namesSample(options);
    if (!isSampled && options.rule === "evidence")
      throw new UsageError("--rule evidence needs --activations PATH, which the evidence comes from");
    if (!isSampled && out !== undefined)
      throw new UsageError("--out needs --activations PATH: without them there is nothing measured to keep");
    if (!isSampled) return geometricFamilies([smaller, larger], options, context);
    const folder = out === undefined ? undefined : await openOutputFolder(out, familiesOutput, { force });
    await withInputs([smaller, larger], options, context, (inputs) =>
      measuredFamilies(inputs, { options, folder, context }),
    );
  },
});

/** Families by the directions alone. */
async function geometricFamilies(
  addresses: readonly [string, string],
  options: FamiliesOptions,
  context: Context,
): Promise<void> {
  await withSaes(addresses, options, context, async ({ saes, kernels }) => {
    announceWarnings(saes, context.stderr);
    const [smaller, larger] = saes;
    const { cosine } = options;
    const found = await cosineFamilies(smaller.sae, larger.sae, kernels, { cosine });
    await print({ smaller, larger, cosine, found }, options, context);
  });
}

async function measuredFamilies(
  inputs: Inputs,
  {
    options,
    folder,
    context,
  }: {
    readonly options: FamiliesOptions;
    readonly folder: OutputFolder | undefined;
    readonly context: Context;
  },
): Promise<void> {
  const started = new Date();
  const { sample, kernels, startProgress } = inputs;
  const [smaller, larger] = inputs.saes;
  const { cosine, rule, coverage, fdr } = options;
  const { report, activationFiles } = await context.interruption.during(async (signal) => {
    const codes = await openCodes(inputs, options, { context, signal });
    const progress = startProgress({ label: "families", unit: "rows", total: 2 * sample.rows });
    try {
      const report = await measureFamilies(codes.coded, kernels, {
        cosine,
        rule,
        coverage,
        falseDiscoveryRate: fdr,
        onRows: progress.update,
      });
      progress.end();
      codes.report();
      return { report, activationFiles: codes.activationFiles as readonly HashedFile[] };
    } finally {
      progress.end();
    }
  });
  const run: FamiliesRun = { smaller, larger, cosine, found: report, measured: { sample, report } };
  if (folder !== undefined) {
    await folder.begin();
    const files = await writeFamilies(
      folder,
      run,
      { report, sample },
      {
        commandLine: context.commandLine,
        started,
        options: { cosine, rule, coverage, fdr, ...readingRecord(options, inputs) },
        activationFiles,
        kernels: kernels.name,
      },
    );
    announceFiles(context.stderr, folder, files);
  }
  await print(run, options, context);
}

async function print(run: FamiliesRun, { json }: FamiliesOptions, { stdout }: Context): Promise<void> {
  const text = json
    ? `${JSON.stringify(familiesDocument(run))}\n`
    : familiesReport(run, { width: layoutWidth(stdout), style: styleFor(stdout) });
  await writeAll(stdout, text);
}
