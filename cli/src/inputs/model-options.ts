import { devices } from "@saestitch/models/node";
import { choice, type OptionValues, text, wholeNumber } from "../arguments/option.ts";

/** Options of how a text is read through a model. */
export const captureOptions = {
  "text-column": text("NAME", "Field or column that holds the text (default text)"),
  split: text(
    "WHERE",
    'How a plain text falls into documents: line, paragraph, document (the whole file), or a text between them such as "<|endoftext|>" (default paragraph)',
  ),
  "dataset-config": text(
    "NAME",
    "For a data set of the hub with several configurations: which (default default)",
  ),
  "dataset-split": text("NAME", "For a data set of the hub: which split (default train)"),
  context: wholeNumber(
    "N",
    2,
    undefined,
    "Tokens that the model reads at once (default what the SAE was trained on, else 128, or fewer where the model takes no more)",
  ),
  bos: choice(
    ["auto", "yes", "no"],
    "auto",
    "Begin each context with the token that begins a text: as the SAE was trained, always, never",
  ),
  arrangement: choice(
    ["documents", "packed"],
    "documents",
    "Each document in contexts of its own, or documents one after the other in full contexts, as SAELens trains",
  ),
  rest: choice(
    ["continue", "drop"],
    "continue",
    "What becomes of a document's tokens beyond its first context: further contexts, or nothing",
  ),
  centre: choice(
    ["auto", "yes", "no"],
    "auto",
    "Take the mean over d off each activation: as the SAE was trained, always, never",
  ),
  device: choice([...devices], "cpu", "Where ONNX Runtime runs the model"),
  "batch-tokens": wholeNumber("N", 1, 1024, "Tokens that the model runs on at once, padding counted"),
} as const;

/** The values of {@link captureOptions}. */
export type CaptureOptions = OptionValues<typeof captureOptions>;

/** Options of a command that can read activations out of a model instead of files. */
export const modelOptions = {
  model: text(
    "MODEL",
    "Read the activations out of this model: an ONNX file, a folder with one, or hf:owner/repo[/path][@revision]; beside --activations: check that they are its",
  ),
  text: text(
    "TEXT",
    "What the model reads: a .txt, .jsonl, .json or .parquet file (or .gz), a folder of them, or hf:datasets/owner/name[@revision]",
  ),
  hook: text(
    "NAME",
    "Where activations are read (default where the SAE was trained); the command hooks lists the places",
  ),
  ...captureOptions,
} as const;

/** The values of {@link modelOptions}. */
export type ModelOptions = OptionValues<typeof modelOptions>;

/** What {@link modelOptions} are where none of them is given. */
export const noModel = Object.fromEntries(
  Object.entries(modelOptions).map(([name, { fallback }]) => [name, fallback]),
) as unknown as ModelOptions;
