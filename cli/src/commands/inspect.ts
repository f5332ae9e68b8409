import { measureReconstruction, varianceFormulas } from "@saestitch/core";
import { openKernels } from "@saestitch/core/node";
import { defineCommand } from "../arguments/command.ts";
import { choice, flag, type OptionValues } from "../arguments/option.ts";
import type { Context } from "../context.ts";
import { applyActivationScale, estimateActivationScale } from "../inputs/activation-scale.ts";
import { openSaeInput } from "../inputs/open-sae-input.ts";
import { openSample } from "../inputs/open-sample.ts";
import type { SaeInput } from "../inputs/provenance.ts";
import { namesSample, sampleOptions } from "../inputs/sample-options.ts";
import { type InspectedSample, inspectDocument } from "../inspection/inspect-document.ts";
import { inspectReport } from "../inspection/inspect-report.ts";
import { layoutWidth, type OutputStream, writeAll } from "../terminal/output-stream.ts";
import { progressMode, type StartProgress, startProgress } from "../terminal/progress.ts";
import { styleFor } from "../terminal/style.ts";

const options = {
  ...sampleOptions,
  "variance-formula": choice(
    [...varianceFormulas, "all"],
    "standard",
    "Formula for variance explained; compare a published figure with its own formula only",
  ),
  json: flag("Print one JSON document instead of tables (docs/label-output.md)"),
  quiet: flag("Show no progress"),
} as const;

export const inspect = defineCommand({
  description:
    "Prints architecture, shapes, hook, model, what was changed while reading (folds), the stated L0 and the lengths of the directions. " +
    "With --activations also L0, MSE, variance explained and dead latents on that sample, with a warning when L0 is far from what is stated.\n" +
    "An SAE is a folder, a file, or hf:owner/repo/path[@revision].",
  operands: [{ name: "sae", help: "the SAE to look at" }],
  options,
  examples: [
    { does: "What is in this folder?", command: "inspect sae-512" },
    {
      does: "Does it reconstruct these activations as well as its publisher says?",
      command: "inspect sae-512 --activations acts --variance-formula all",
    },
    { does: "Read from the hub, print JSON", command: "inspect hf:owner/repo/path@main --json" },
  ],

  async run([address], options, context) {
    const progress: StartProgress = (work) =>
      startProgress(context.stderr, work, { mode: progressMode(context.stderr, options) });
    const input = await openSaeInput(address, { stderr: context.stderr, startProgress: progress });
    const inspected = namesSample(options)
      ? await measure(input, options, { stderr: context.stderr, startProgress: progress })
      : undefined;
    await print(input, inspected, options, context);
  },
});

async function measure(
  input: SaeInput,
  options: OptionValues<typeof inspect.options>,
  surroundings: { readonly stderr: OutputStream; readonly startProgress: StartProgress },
): Promise<InspectedSample> {
  const {
    threads,
    "batch-rows": batchRows,
    "skip-nonfinite": skipNonFinite,
    "variance-formula": formula,
  } = options;
  const sample = await openSample(options, [input], surroundings);
  const kernels = await openKernels(threads === undefined ? {} : { threads });
  const progress = surroundings.startProgress({ label: "measuring", unit: "rows", total: sample.rows });
  try {
    const reading = { end: sample.rows, skipNonFinite, batchRows };
    const { saes, factor } = await applyActivationScale([input.sae], options["activation-scale"], () =>
      estimateActivationScale(sample.source, reading),
    );
    const measurement = await measureReconstruction(saes[0], sample.source, kernels, {
      ...reading,
      onRows: progress.update,
    });
    const formulas = formula === "all" ? varianceFormulas : [formula];
    return { ...measurement, sample, formulas, activationScale: factor };
  } finally {
    progress.end();
    await kernels.close();
    await sample.close();
  }
}

async function print(
  input: SaeInput,
  inspected: InspectedSample | undefined,
  { json }: { readonly json: boolean },
  { stdout }: Context,
): Promise<void> {
  const document = inspectDocument(input, inspected);
  const text = json
    ? `${JSON.stringify(document)}\n`
    : inspectReport(document, { width: layoutWidth(stdout), style: styleFor(stdout) });
  await writeAll(stdout, text);
}
