import type { Processing } from "../processing.ts";
import type { WindowOptions } from "../tokens/window-options.ts";

/** A file by its content. */
export interface NamedHash {
  readonly name: string;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** How captured activations are stored. */
export type CaptureDtype = "float16" | "bfloat16" | "float32";

/** All that decides what a capture holds, byte for byte on one machine. */
export interface CaptureRecipe extends Required<Pick<WindowOptions, "context" | "bos" | "arrangement">> {
  /** What was opened, and the hash of its graph. */
  readonly model: { readonly location: string; readonly sha256: string };
  /** The hook's name; null where it has none but that of its tensor. */
  readonly hook: string | null;
  readonly tensor: string;
  readonly d: number;
  readonly dtype: CaptureDtype;
  readonly processing: Processing;
  readonly rest: "continue" | "drop";
  /** Tokens asked for; null for all there are. */
  readonly limit: number | null;
  readonly tokenizer: { readonly location: string; readonly sha256: string };
  /** Files by their hashes; none where the location pins the content. */
  readonly text: { readonly location: string; readonly files: readonly NamedHash[] };
  readonly batchTokens: number;
  readonly lookAhead: number;
  readonly shardRows: number;
}

/** A file of captured activations. */
export interface CapturedShard extends NamedHash {
  readonly bytes: number;
  readonly rows: number;
  readonly windows: number;
  /** The document of its last row. */
  readonly lastDocument: number;
}

/** What the first rows of a capture must be, whether they are read or captured again. */
export interface CaptureChecksum {
  /** Tokens of the first windows. The rows checked are the first of these tokens. */
  readonly windows: readonly (readonly number[])[];
  /** Seed of the direction that the activations are projected on. */
  readonly seed: number;
  /** Length of each checked activation, in float64 from the float32 that the model gave. */
  readonly norms: readonly number[];
  /** Product of each checked activation with the direction. */
  readonly projections: readonly number[];
}

/** What a folder of captured activations says of itself: its `capture.json`. */
export interface CaptureManifest extends CaptureRecipe {
  readonly schema: typeof captureSchema;
  /** What ran the model, for people. */
  readonly engine: string;
  /** Rows in all, those excluded counted. */
  readonly tokens: number;
  /** Documents that have rows. */
  readonly documents: number;
  /** Rows of special tokens. */
  readonly excluded: number;
  /** Bytes of the shards for each row. */
  readonly bytesPerToken: number;
  /** Whether the text, or the tokens asked for, are all there. */
  readonly complete: boolean;
  readonly shards: readonly CapturedShard[];
  readonly checksum: CaptureChecksum;
}

export const captureSchema = "saestitch.capture/1";

/** The file `capture.json`. */
export function encodeCaptureManifest(manifest: CaptureManifest): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`);
}

/** In what the recipe of a capture differs from a wanted one, in words; what only names things may differ. */
export function recipeDifferences(found: CaptureRecipe, wanted: CaptureRecipe): string[] {
  const of = (recipe: CaptureRecipe): Readonly<Record<string, unknown>> => ({
    model: recipe.model.sha256,
    tokenizer: recipe.tokenizer.sha256,
    text:
      recipe.text.files.length === 0
        ? recipe.text.location
        : recipe.text.files.map(({ sha256 }) => sha256).join(" "),
    hook: recipe.tensor,
    d: recipe.d,
    dtype: recipe.dtype,
    "centring of activations": recipe.processing.centred,
    context: recipe.context,
    bos: recipe.bos,
    arrangement: recipe.arrangement,
    rest: recipe.rest,
    limit: recipe.limit,
    batchTokens: recipe.batchTokens,
    lookAhead: recipe.lookAhead,
    shardRows: recipe.shardRows,
  });
  const [before, after] = [of(found), of(wanted)];
  return Object.keys(before)
    .filter((key) => before[key] !== after[key])
    .map((key) => `its ${key} is ${before[key] ?? "none"}, not ${after[key] ?? "none"}`);
}
