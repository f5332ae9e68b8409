import type { CaptureManifest } from "@saestitch/models";
import { captureToFolder, readCapture } from "@saestitch/models/node";
import { defineCommand } from "../arguments/command.ts";
import { choice, flag, type OptionValues, required, text, wholeNumber } from "../arguments/option.ts";
import { UsageError } from "../arguments/usage-error.ts";
import { captureReport } from "../capture/capture-report.ts";
import type { Context } from "../context.ts";
import { hashFiles } from "../inputs/hash-files.ts";
import { captureOptions, modelOptions } from "../inputs/model-options.ts";
import { readingFor } from "../inputs/open-model-sample.ts";
import { openSaeInput } from "../inputs/open-sae-input.ts";
import { openTextModel, type TextModel } from "../inputs/open-text-model.ts";
import type { Surroundings } from "../inputs/surroundings.ts";
import { InterruptedError } from "../interruption.ts";
import { shellCommand } from "../output/shell-command.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { progressMode, startProgress } from "../terminal/progress.ts";
import { styleFor } from "../terminal/style.ts";

const options = {
  text: required(modelOptions.text),
  hook: modelOptions.hook,
  sae: text("SAE", "Capture what this SAE was trained on: its hook, context, BOS and centring"),
  tokens: wholeNumber(
    "N",
    1,
    undefined,
    "Capture N tokens (default the whole text; a data set of the hub needs it)",
  ),
  out: required(
    text(
      "DIR",
      "Write shards and capture.json into this folder; the same command goes on where it was interrupted",
    ),
  ),
  dtype: choice(
    ["float16", "bfloat16", "float32"],
    "float16",
    "How activations are stored; float16 holds numbers up to 65504",
  ),
  "shard-rows": wholeNumber("N", 1, 32_768, "Rows of a file, at least: windows are not cut"),
  ...captureOptions,
  threads: wholeNumber("N", 1, undefined, "Threads of the model (default one per processor core)"),
  json: flag("Print one JSON document instead of text (docs/capture-output.md)"),
  quiet: flag("Show no progress"),
} as const;

type Options = OptionValues<typeof options>;

export const capture = defineCommand({
  description:
    "Runs a text through a model up to one place and stores what is there for every token: activations that the other commands read, with token ids, document ids, and what they were captured from. " +
    "Only the part of the model up to the hook is run.\n" +
    "A model is an ONNX file, a folder with one, or hf:owner/repo[/path][@revision]; its tokenizer.json lies beside it or in the folder above.",
  operands: [{ name: "model", help: "the model" }],
  options,
  examples: [
    {
      does: "The residual stream before block 8, of half a million tokens",
      command:
        "capture gpt2-onnx --hook blocks.8.hook_resid_pre --text corpus.txt --tokens 500_000 --out acts",
    },
    {
      does: "What an SAE of the hub was trained on, from a data set of the hub",
      command:
        "capture hf:onnx-community/gpt2 --sae hf:me/saes/a --text hf:datasets/me/text --tokens 1_000_000 --out acts",
    },
    {
      does: "Stories in a JSON file, each in a context of its own, in full precision",
      command:
        "capture model.onnx --hook blocks.2.hook_resid_post --text stories.json --dtype float32 --out acts",
    },
  ],

  async run([address], options, context) {
    const { stderr } = context;
    const surroundings: Surroundings = {
      stderr,
      startProgress: (work) => startProgress(stderr, work, { mode: progressMode(stderr, options) }),
    };
    if (options.hook === undefined && options.sae === undefined)
      throw new UsageError(
        "needs --hook NAME, or --sae SAE whose hook is taken; saestitch hooks <model> lists the places",
      );
    const parts = await openTextModel(address, options.text, options, surroundings);
    try {
      await captureParts(parts, options, { ...surroundings, context });
    } finally {
      await parts.close();
    }
  },
});

async function captureParts(
  parts: TextModel,
  options: Options,
  { context, ...surroundings }: Surroundings & { readonly context: Context },
): Promise<void> {
  const { opened, model, tokenizer, text } = parts;
  const saes = options.sae === undefined ? [] : [await openSaeInput(options.sae, surroundings)];
  const reading = readingFor(saes, options, parts);
  const hook = await model.findHook(reading.hook);
  const [modelHash, ...textHashes] = await hashFiles(
    [opened.files[0], ...text.files],
    surroundings.startProgress,
  );
  const already = (await readCapture(options.out))?.tokens ?? 0;
  const { startProgress } = surroundings;
  const progress = startProgress({
    label: "capturing",
    unit: "tokens",
    total: options.tokens,
    start: already,
  });
  const started = performance.now();
  const manifest = await context.interruption.during(async (signal) => {
    try {
      return await captureToFolder(
        options.out,
        {
          model,
          hook,
          tokenizer,
          text,
          hashes: { model: modelHash.sha256, tokenizer: tokenizer.sha256, text: textHashes },
        },
        {
          context: reading.context,
          bos: reading.bos,
          arrangement: options.arrangement,
          rest: options.rest,
          limit: options.tokens,
          processing: reading.processing,
          dtype: options.dtype,
          batchTokens: options["batch-tokens"],
          shardRows: options["shard-rows"],
          signal,
          onProgress: ({ tokens }) => progress.update(tokens),
        },
      );
    } catch (error) {
      if (signal.aborted) throw interrupted(undefined, context);
      throw error;
    } finally {
      progress.end();
    }
  });
  if (!manifest.complete) throw interrupted(manifest, context);
  const document = {
    ...manifest,
    out: options.out,
    remarks: reading.remarks,
    capturedNow: manifest.tokens - already,
    seconds: (performance.now() - started) / 1000,
  };
  const { stdout } = context;
  await writeAll(
    stdout,
    options.json
      ? `${JSON.stringify(document)}\n`
      : captureReport(document, { width: layoutWidth(stdout), style: styleFor(stdout) }),
  );
}

function interrupted(manifest: CaptureManifest | undefined, { commandLine }: Context): InterruptedError {
  return new InterruptedError(
    manifest === undefined
      ? "Interrupted before the first shard was whole; nothing was kept. A smaller --shard-rows keeps more often"
      : `Interrupted after ${manifest.tokens} tokens, which were kept. Go on with: ${shellCommand(commandLine)}`,
  );
}
