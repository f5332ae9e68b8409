import { flag, type Option, type OptionValues, required, text, wholeNumber } from "../arguments/option.ts";
import { UsageError } from "../arguments/usage-error.ts";
import { modelOptions } from "./model-options.ts";

/** Which tokens to leave out of a sample: the one found to begin every document, none, or these. */
export type Exclusion = "auto" | "none" | readonly number[];

/** How activations are multiplied for SAEs that expect it: as their files say, by an estimate from the sample, or by a number. */
export type ActivationScale = "file" | "estimate" | number;

/** Options of how activations are read, wherever they come from. */
const rowOptions = {
  column: text("NAME", "Tensor or column that holds the activations, where its name does not tell"),
  tokens: wholeNumber(
    "N",
    1,
    undefined,
    "Read only the first N rows (default all; a data set of the hub needs it)",
  ),
  "exclude-tokens": exclusion(
    "Token ids to leave out, separated by commas; auto leaves out the token that begins every document, none leaves out none (default auto)",
  ),
  "activation-scale": activationScale(
    "For SAEs that expect activations multiplied by a factor: the factor, or estimate to take √d over the mean norm of the sample (default: the one in the SAE's files)",
  ),
  threads: wholeNumber("N", 1, undefined, "Worker threads (default one per processor)"),
  "batch-rows": wholeNumber("N", 1, 2048, "Rows per batch"),
  "skip-nonfinite": flag("Leave out rows with NaN or infinite values instead of refusing them"),
} as const;

const activations = text(
  "PATH",
  "Activations: a safetensors or npy file, or a folder of them or of an Arrow cache",
);

const outputOptions = {
  json: flag("Print one JSON document instead of tables"),
  quiet: flag("Show no progress"),
} as const;

/** Options of every command that reads activations, from files or out of a model. */
export const sampleOptions = { activations, ...modelOptions, ...rowOptions } as const;

/** Options of every command that cannot do without activations, be they from files or out of a model. */
export const readingOptions = { ...sampleOptions, ...outputOptions } as const;

/** Options of a command that cannot do without activations in files, because it reads them many times. */
export const recordedOptions = {
  activations: required(activations),
  ...rowOptions,
  ...outputOptions,
} as const;

/** The values of {@link sampleOptions}. */
export type SampleOptions = OptionValues<typeof sampleOptions>;

/**
 * Whether the options name a sample: activations in files, or a model and the text it reads. Throws {@link UsageError} where they name half of
 * one, or two.
 */
export function namesSample({
  activations,
  model,
  text,
}: Pick<SampleOptions, "activations" | "model" | "text">): boolean {
  if (activations !== undefined && text !== undefined)
    throw new UsageError("--activations and --text are two samples; give one of them");
  if (text !== undefined && model === undefined)
    throw new UsageError("--text needs --model MODEL, which reads it");
  if (activations === undefined && model !== undefined && text === undefined)
    throw new UsageError("--model needs --text TEXT, which it reads");
  return activations !== undefined || text !== undefined;
}

/** As {@link namesSample}, and throws {@link UsageError} where they name none. */
export function requireSample(options: Pick<SampleOptions, "activations" | "model" | "text">): void {
  if (!namesSample(options))
    throw new UsageError(
      "Option --activations PATH is missing, or --model MODEL with --text TEXT in its place",
    );
}

/** The values of {@link readingOptions}. */
export type ReadingOptions = OptionValues<typeof readingOptions>;

function exclusion(help: string): Option<Exclusion> {
  return {
    placeholder: "auto|none|IDS",
    help,
    fallback: "auto",
    parse(value) {
      if (value === "auto" || value === "none") return value;
      const ids = value.split(",").map((id) => (id.trim() === "" ? Number.NaN : Number(id)));
      if (!ids.every((id) => Number.isSafeInteger(id) && id >= 0)) {
        throw new UsageError(`must be auto, none, or token ids such as 0,1, not "${value}"`);
      }
      return ids;
    },
  };
}

function activationScale(help: string): Option<ActivationScale> {
  return {
    placeholder: "S|estimate",
    help,
    fallback: "file",
    parse(value) {
      if (value === "estimate") return value;
      const scale = Number(value);
      if (value.trim() === "" || !(scale > 0 && Number.isFinite(scale))) {
        throw new UsageError(`must be a positive number or estimate, not "${value}"`);
      }
      return scale;
    },
  };
}
