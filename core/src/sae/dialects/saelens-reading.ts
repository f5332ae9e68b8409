import { FormatError } from "../../errors.ts";
import { describe } from "../../formats/json.ts";
import type { SaeOrigin } from "../sae.ts";
import type { Config } from "./read-config.ts";

/** What a file says under a key in its metadata, else beside the rest. */
export type Either = <T>(get: (from: Config) => T | undefined) => T | undefined;

/** The option of TransformerLens that centres what is written to the residual stream. */
export const centringKey = "center_writing_weights";

type Reading = "centredWrites" | "excludeSpecialTokens" | "seqposSlice" | "headIndex" | "datasetPath";

/** What a cfg.json of any release says of how the activations were read; undefined where it does not say. Throws FormatError for values of another kind. */
export function readingOf(either: Either): { [Key in Reading]: SaeOrigin[Key] | undefined } {
  return {
    centredWrites: centredWritesOf(either),
    excludeSpecialTokens: either((from) => excludedTokens(from, "exclude_special_tokens")),
    seqposSlice: either((from) => slice(from, "seqpos_slice")),
    headIndex: headIndexOf(either),
    datasetPath: either((from) => from.text("dataset_path")),
  };
}

/** The attention head that is read alone. */
export function headIndexOf(either: Either): number | undefined {
  return either((from) => from.number("hook_head_index") ?? from.number("hook_point_head_index"));
}

/** The options that the model was loaded with, where the file says. */
export function loadingOf(either: Either): Readonly<Record<string, unknown>> | undefined {
  const loading = either((from) => from.raw("model_from_pretrained_kwargs"));
  return typeof loading === "object" ? { ...loading } : undefined;
}

/**
 * Whether writing weights were centred. Before release 3.19.2 SAELens loaded models with TransformerLens' own processing, which centres
 * them unless told otherwise, and said nothing of it; from then on without, and wrote down the options. Releases 1 and 2, which did not
 * write down their number, are known by the key hook_point.
 */
function centredWritesOf(either: Either): boolean | undefined {
  const modelClass = either((from) => from.text("model_class_name"));
  if (modelClass !== undefined && modelClass !== "HookedTransformer") return false;
  const loading = loadingOf(either);
  const stated = loading?.[centringKey];
  if (typeof stated === "boolean") return stated;
  const release = either((from) => from.text("sae_lens_training_version") ?? from.text("sae_lens_version"));
  if (release === undefined)
    return loading === undefined && either((from) => from.text("hook_point")) !== undefined
      ? true
      : undefined;
  if (isBefore(release, [3, 19, 2])) return true;
  return loading === undefined ? undefined : false;
}

/** Whether a release such as "3.19.2" came before another. A text that is no release came before none. */
function isBefore(release: string, [major, minor, patch]: readonly [number, number, number]): boolean {
  const numbers = /^(\d+)\.(\d+)\.(\d+)/.exec(release)?.slice(1).map(Number);
  if (numbers === undefined) return false;
  return (numbers[0] - major || numbers[1] - minor || numbers[2] - patch) < 0;
}

function excludedTokens(from: Config, key: string): boolean | readonly number[] | undefined {
  const value = from.raw(key);
  if (value === undefined || typeof value === "boolean") return value;
  if (Array.isArray(value) && value.every((id) => Number.isSafeInteger(id) && id >= 0)) return value;
  throw new FormatError(
    `${from.name} has ${describe(value)} under "${key}", expected true, false or a list of token ids`,
  );
}

/** (start, stop, step) with what is left out as null; undefined when it leaves nothing out. */
function slice(from: Config, key: string): readonly (number | null)[] | undefined {
  const value = from.raw(key);
  if (value === undefined) return undefined;
  const isSlice =
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= 3 &&
    value.every((bound) => bound === null || Number.isSafeInteger(bound));
  if (!isSlice)
    throw new FormatError(
      `${from.name} has ${describe(value)} under "${key}", expected one to three integers or nulls`,
    );
  return value.every((bound) => bound === null) ? undefined : value;
}
