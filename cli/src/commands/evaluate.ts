import { measureReconstructions, varianceFormulas } from "@saestitch/core";
import { defineCommand } from "../arguments/command.ts";
import { choice, type OptionValues } from "../arguments/option.ts";
import type { Context } from "../context.ts";
import { type EvaluatedSae, type Evaluation, evaluationDocument } from "../evaluation/evaluation-document.ts";
import { evaluationReport } from "../evaluation/evaluation-report.ts";
import { insertionOptions, insertionRequest } from "../evaluation/insertion-options.ts";
import { measureEvaluationLoss } from "../evaluation/measure-evaluation-loss.ts";
import { insertionOf, measureInsertion } from "../evaluation/measure-insertion.ts";
import { type Inputs, withInputs } from "../inputs/open-inputs.ts";
import type { SaeInput } from "../inputs/provenance.ts";
import { readingOptions } from "../inputs/sample-options.ts";
import { checkLossOptions, lossOptions } from "../losses/loss-options.ts";
import { withLosses } from "../losses/with-losses.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { styleFor } from "../terminal/style.ts";

const options = {
  ...readingOptions,
  "variance-formula": choice(
    [...varianceFormulas],
    "standard",
    "Formula for variance explained; compare a published figure with its own formula only",
  ),
  ...lossOptions,
  ...insertionOptions,
} as const;

type EvaluateOptions = OptionValues<typeof options>;

export const evaluate = defineCommand({
  description:
    "Reads the activations once and prints latents, L0, MSE, variance explained and dead latents side by side, and which of " +
    "the SAEs no other one beats in latents, L0 and MSE at once. With a model and a text also what the model loses when an SAE's output takes " +
    "the place of its activations: cross-entropy, the share recovered of what zero and mean ablation lose, and KL divergence.\n" +
    "An SAE is a folder, a file, or hf:owner/repo/path[@revision].",
  operands: [{ name: "sae", help: "the SAEs to evaluate, of one width", repeats: true }],
  options,
  examples: [
    { does: "A family side by side", command: "evaluate sae-256 sae-512 sae-1024 --activations acts" },
    {
      does: "A stitched SAE against the trained one of its size, on the first million tokens",
      command: "evaluate stitched sae-512 --activations acts --tokens 1_000_000",
    },
    {
      does: "Which of them costs the model less",
      command:
        "evaluate stitched sae-512 --model model --text stories.jsonl --tokens 500_000 --loss-tokens 50_000",
    },
    {
      does: "What three latents of the larger SAE would bring the smaller one",
      command: "evaluate sae-256 --insert-from sae-512 --latents 3,17,99 --model model --text stories.jsonl",
    },
  ],

  async run(addresses, options, context) {
    checkLossOptions(options, ["loss-tokens"]);
    const request = insertionRequest(options);
    const all = request === undefined ? addresses : [...addresses, request.from];
    await withInputs(all, options, context, async (inputs) => {
      const saes = inputs.saes.slice(0, addresses.length);
      const insertion = request && insertionOf(saes[0], inputs.saes[addresses.length], request.latents);
      const evaluation = await withLosses(inputs, options, async (losses): Promise<Evaluation> => {
        const evaluated = await evaluateAll(saes, inputs, options);
        const measured =
          insertion &&
          (await measureInsertion(insertion, inputs, { skipNonFinite: options["skip-nonfinite"] }));
        const { kernels } = inputs;
        return {
          evaluated,
          sample: inputs.sample,
          varianceFormula: options["variance-formula"],
          insertion: measured,
          loss: losses && (await measureEvaluationLoss(losses, evaluated, insertion, { kernels, context })),
        };
      });
      await print(evaluation, options, context);
    });
  },
});

async function evaluateAll(
  saes: readonly SaeInput[],
  { sample, kernels, startProgress }: Inputs,
  options: EvaluateOptions,
): Promise<EvaluatedSae[]> {
  const progress = startProgress({ label: "reconstruction", unit: "rows", total: sample.rows });
  try {
    const measured = await measureReconstructions(
      saes.map(({ sae }) => sae),
      sample.source,
      kernels,
      {
        end: sample.rows,
        skipNonFinite: options["skip-nonfinite"],
        batchRows: options["batch-rows"],
        onRows: progress.update,
      },
    );
    return saes.map((input, i) => ({ input, ...measured[i] }));
  } finally {
    progress.end();
  }
}

async function print(evaluation: Evaluation, { json }: EvaluateOptions, { stdout }: Context): Promise<void> {
  const document = evaluationDocument(evaluation);
  const text = json
    ? `${JSON.stringify(document)}\n`
    : evaluationReport(document, { width: layoutWidth(stdout), style: styleFor(stdout) });
  await writeAll(stdout, text);
}
