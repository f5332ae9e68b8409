import { measureReconstruction, varianceFormulas } from "@saestitch/core";
import { defineCommand } from "../arguments/command.ts";
import { choice, type OptionValues } from "../arguments/option.ts";
import type { Context } from "../context.ts";
import { type EvaluatedSae, evaluationDocument } from "../evaluation/evaluation-document.ts";
import { evaluationReport } from "../evaluation/evaluation-report.ts";
import { type Inputs, withInputs } from "../inputs/open-inputs.ts";
import { readingOptions } from "../inputs/sample-options.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { styleFor } from "../terminal/style.ts";

const options = {
  ...readingOptions,
  "variance-formula": choice(
    [...varianceFormulas],
    "standard",
    "Formula for variance explained; compare a published figure with its own formula only",
  ),
} as const;

export const evaluate = defineCommand({
  description:
    "Reads the activations once for each SAE and prints latents, L0, MSE, variance explained and dead latents side by side, and which of " +
    "the SAEs no other one beats in latents, L0 and MSE at once.\n" +
    "An SAE is a folder, a file, or hf:owner/repo/path[@revision].",
  operands: [{ name: "sae", help: "the SAEs to evaluate, of one width", repeats: true }],
  options,
  examples: [
    { does: "A family side by side", command: "evaluate sae-256 sae-512 sae-1024 --activations acts" },
    {
      does: "A stitched SAE against the trained one of its size, on the first million tokens",
      command: "evaluate stitched sae-512 --activations acts --tokens 1_000_000",
    },
  ],

  async run(addresses, options, context) {
    await withInputs(addresses, options, context, async (inputs) => {
      const evaluated: EvaluatedSae[] = [];
      for (const input of inputs.saes) evaluated.push(await evaluateOne(input, inputs, options));
      await print(evaluated, inputs, options, context);
    });
  },
});

async function evaluateOne(
  input: Inputs["saes"][number],
  { sample, kernels, startProgress }: Inputs,
  options: OptionValues<typeof evaluate.options>,
): Promise<EvaluatedSae> {
  const progress = startProgress({ label: input.location, unit: "rows", total: sample.rows });
  try {
    const measured = await measureReconstruction(input.sae, sample.source, kernels, {
      end: sample.rows,
      skipNonFinite: options["skip-nonfinite"],
      batchRows: options["batch-rows"],
      onRows: progress.update,
    });
    return { input, ...measured };
  } finally {
    progress.end();
  }
}

async function print(
  evaluated: readonly EvaluatedSae[],
  { sample }: Inputs,
  { json, "variance-formula": formula }: OptionValues<typeof evaluate.options>,
  { stdout }: Context,
): Promise<void> {
  const document = evaluationDocument(evaluated, sample, formula);
  const text = json
    ? `${JSON.stringify(document)}\n`
    : evaluationReport(document, { width: layoutWidth(stdout), style: styleFor(stdout) });
  await writeAll(stdout, text);
}
