import { findExamples, type Tokenizer } from "@saestitch/models";
import { openTokenizerAt } from "@saestitch/models/node";
import { defineCommand } from "../arguments/command.ts";
import {
  flag,
  type OptionValues,
  repeatable,
  required,
  text,
  wholeNumber,
  wholeNumbers,
} from "../arguments/option.ts";
import { UsageError } from "../arguments/usage-error.ts";
import type { Context } from "../context.ts";
import { examplesDocument } from "../examples/examples-document.ts";
import { examplesReport } from "../examples/examples-report.ts";
import { downloadProgress } from "../inputs/download-progress.ts";
import { type Inputs, withInputs } from "../inputs/open-inputs.ts";
import { readingOptions } from "../inputs/sample-options.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { isStyled, styleFor } from "../terminal/style.ts";

const options = {
  latent: required(
    repeatable(wholeNumbers("N,…", 0, "Latents to show, separated by commas; may be given several times")),
  ),
  top: wholeNumber("N", 1, 5, "Places to show of each latent, those where it fires most strongly"),
  quantiles: wholeNumber("N", 0, 0, "Further places to show, at quantiles of its activation when it fires"),
  around: wholeNumber("N", 0, 12, "Tokens to show before and after each place"),
  tokenizer: text(
    "TOKENIZER",
    "With --activations: the tokenizer of the model they are from, a tokenizer.json, a folder with one, or hf:owner/repo (default that of --model)",
  ),
  ...readingOptions,
  json: flag("Print one JSON document instead of text (docs/examples-output.md)"),
} as const;

export const examples = defineCommand({
  description:
    "Shows where latents of an SAE fire: the places where they do most strongly, one of each document unless there are too few, with the text around them; how often and how " +
    "strongly they fire, and on which tokens. On a terminal the background of a token says how strongly.\n" +
    "An SAE is a folder, a file, or hf:owner/repo/path[@revision].",
  operands: [{ name: "sae", help: "the SAE whose latents are shown" }],
  options,
  examples: [
    {
      does: "Where do latents 12 and 99 fire on a text?",
      command: "examples sae-512 --latent 12,99 --model gpt2-onnx --text corpus.txt",
    },
    {
      does: "On activations captured before, also where it fires less strongly",
      command: "examples sae-512 --latent 12 --activations acts --tokenizer gpt2-onnx --quantiles 3",
    },
  ],

  async run([address], options, context) {
    const { latent } = options;
    checkTokenizerOption(options);
    await withInputs([address], options, context, async (inputs) => {
      const [input] = inputs.saes;
      const m = input.sae.decoder.rows;
      const missing = latent.find((chosen) => chosen >= m);
      if (missing !== undefined)
        throw new UsageError(
          `--latent ${missing} does not exist: ${input.location} has the latents 0 to ${m - 1}`,
        );
      const tokenizer = await tokenizerOf(inputs, options, context);
      const { sample, activationScale } = inputs;
      const found = await find(inputs, options);
      const document = examplesDocument({ input, sample, tokenizer, activationScale, found });
      const { stdout } = context;
      await writeAll(
        stdout,
        options.json
          ? `${JSON.stringify(document)}\n`
          : examplesReport(document, {
              width: layoutWidth(stdout),
              style: styleFor(stdout),
              coloured: isStyled(stdout),
            }),
      );
    });
  },
});

type Options = OptionValues<typeof options>;

function checkTokenizerOption({ activations, model, tokenizer, text }: Options): void {
  if (tokenizer !== undefined && text !== undefined)
    throw new UsageError("--tokenizer does not go with --text: the model's own tokenizer reads the text");
  if (activations !== undefined && tokenizer === undefined && model === undefined)
    throw new UsageError(
      "--activations hold token ids, not text; give with --tokenizer TOKENIZER what turns them into text",
    );
}

async function tokenizerOf(
  { sample, startProgress }: Inputs,
  { tokenizer, model }: Options,
  { stderr }: Context,
): Promise<Tokenizer> {
  if (sample.reading !== undefined) return sample.reading.tokenizer;
  const download = downloadProgress(startProgress);
  try {
    return await openTokenizerAt((tokenizer ?? model)!, {
      hub: {
        onProgress: download.update,
        onWarning: (message) => stderr.write(`warning: ${message}\n`),
      },
    });
  } finally {
    download.end();
  }
}

async function find({ saes: [{ sae }], sample, kernels, startProgress }: Inputs, options: Options) {
  const progress = startProgress({ label: "reading", unit: "rows", total: sample.rows });
  try {
    return await findExamples(sae, options.latent, sample.source, kernels, {
      end: sample.rows,
      batchRows: options["batch-rows"],
      skipNonFinite: options["skip-nonfinite"],
      onRows: progress.update,
      top: options.top,
      quantiles: options.quantiles,
      around: options.around,
    });
  } finally {
    progress.end();
  }
}
