import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { DataError, ShapeError } from "@saestitch/core";
import { writeAtomically } from "@saestitch/core/node";
import { captureChecksum } from "../capture/capture-checksum.ts";
import {
  type CaptureDtype,
  type CaptureManifest,
  type CaptureRecipe,
  captureSchema,
  encodeCaptureManifest,
  type NamedHash,
  recipeDifferences,
} from "../capture/capture-manifest.ts";
import { type CapturedWindow, captureWindows } from "../capture/capture-windows.ts";
import { parseCaptureManifest } from "../capture/read-capture-manifest.ts";
import { verifyCaptureWithModel } from "../capture/verify-capture.ts";
import type { Hook, Model } from "../model.ts";
import type { Processing } from "../processing.ts";
import type { TextSource } from "../text/text-source.ts";
import type { BatchSizes } from "../tokens/token-batches.ts";
import { tokenWindows } from "../tokens/token-windows.ts";
import type { Tokenizer } from "../tokens/tokenizer.ts";
import type { WindowOptions } from "../tokens/window-options.ts";
import { checkStorable, shardName, writeShard } from "./capture-shard.ts";

const MANIFEST = "capture.json";

/** What is captured, and the hashes that tell it apart. */
export interface CaptureInputs {
  readonly model: Pick<Model, "activations" | "location" | "engine">;
  readonly hook: Hook;
  readonly tokenizer: Tokenizer;
  readonly text: Pick<TextSource, "documents" | "location">;
  readonly hashes: {
    /** sha256 of the model's graph file. */
    readonly model: string;
    /** sha256 of tokenizer.json. */
    readonly tokenizer: string;
    /** Of each file of the text; none where its location pins its content. */
    readonly text: readonly NamedHash[];
  };
}

/** How it is captured, and watched. */
export interface CaptureFolderOptions extends WindowOptions, BatchSizes {
  readonly processing?: Processing | undefined;
  /** Default float16, which holds numbers up to 65504. */
  readonly dtype?: CaptureDtype | undefined;
  /** A shard ends with the window that gives it this many rows. Default 32768. */
  readonly shardRows?: number | undefined;
  /** When it is aborted, capturing ends; whole shards are kept. */
  readonly signal?: AbortSignal | undefined;
  /** Rows captured so far, those of earlier runs counted. */
  readonly onProgress?: ((progress: { readonly tokens: number }) => void) | undefined;
}

/**
 * Capture the activations of a text at a hook into a folder: shards `shard-00000.safetensors` and on, which `openActivations` reads, and
 * `capture.json`, which says what they are. When the folder holds a part of the same capture, it goes on after its last shard, and the
 * bytes are those of a capture that was never interrupted.
 *
 * Resolves to what `capture.json` says then, `complete` unless `signal` was aborted; aborted before the first shard is whole, it rejects with
 * the signal's reason and leaves nothing behind. Rejects with {@link DataError} when the folder holds something else, saying in what it differs, when a shard has
 * been changed, or the model no longer gives its first rows, and for activations that `dtype` cannot hold; with FormatError for a damaged `capture.json`; as {@link tokenWindows} and
 * {@link captureWindows}.
 */
export async function captureToFolder(
  path: string,
  inputs: CaptureInputs,
  options: CaptureFolderOptions,
): Promise<CaptureManifest> {
  const isNew = await makeFolder(path);
  try {
    return await captureInto(path, inputs, options);
  } catch (error) {
    // Refused where there is something in it, which stays.
    if (isNew) await rmdir(path).catch(() => {});
    throw error;
  }
}

async function captureInto(
  path: string,
  { model, hook, tokenizer, text, hashes }: CaptureInputs,
  { signal, onProgress = () => {}, ...options }: CaptureFolderOptions,
): Promise<CaptureManifest> {
  const recipe = recipeOf({ model, hook, tokenizer, text, hashes }, options);
  let manifest = await findBegun(path, recipe);
  if (manifest?.complete) return manifest;
  // Weights outside of the graph's file have no hash: they take longer to read than this.
  if (manifest !== undefined)
    await verifyCaptureWithModel({ ...model, findHook: async () => hook }, manifest);

  const from = manifest?.shards.reduce((sum, { windows }) => sum + windows, 0) ?? 0;
  const windows = tokenWindows(text.documents(), tokenizer, options);
  const { batchTokens, lookAhead, processing, dtype, shardRows } = recipe;
  let filling: CapturedWindow[] = [];
  let rows = 0;

  async function store(): Promise<void> {
    // Before the first shard, so that no shard is ever there without what says what it is of.
    const begun = manifest ?? emptyManifest(recipe, model.engine, filling);
    if (manifest === undefined) await write(path, begun);
    manifest = await addShard(path, begun, filling);
    filling = [];
    rows = 0;
  }

  for await (const captured of captureWindows(model, hook, windows, {
    batchTokens,
    lookAhead,
    processing,
    from,
  })) {
    checkStorable(captured, dtype);
    filling.push(captured);
    rows += captured.activations.rows;
    onProgress({ tokens: (manifest?.tokens ?? 0) + rows });
    if (rows >= shardRows) await store();
    if (!signal?.aborted) continue;
    if (manifest === undefined) throw signal.reason;
    return manifest;
  }
  if (filling.length > 0) await store();
  const complete: CaptureManifest = { ...manifest!, complete: true };
  await write(path, complete);
  return complete;
}

/** What the `capture.json` of a folder says; undefined when it has none. Rejects with FormatError when it is damaged. */
export async function readCapture(path: string): Promise<CaptureManifest | undefined> {
  const file = join(path, MANIFEST);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes((cause as NodeJS.ErrnoException).code!)) return undefined;
    throw cause;
  }
  return parseCaptureManifest(bytes, file);
}

function recipeOf(
  { model, hook, tokenizer, text, hashes }: CaptureInputs,
  {
    context,
    bos,
    arrangement,
    rest = "continue",
    limit,
    processing = { centred: false },
    dtype = "float16",
    batchTokens = 1024,
    lookAhead = 32,
    shardRows = 32768,
  }: CaptureFolderOptions,
): CaptureRecipe {
  if (!Number.isSafeInteger(shardRows) || shardRows < 1)
    throw new ShapeError(`Cannot write shards of ${shardRows} rows: expected a positive integer`);
  return {
    model: { location: model.location, sha256: hashes.model },
    hook: hook.name ?? null,
    tensor: hook.tensor,
    d: hook.d,
    dtype,
    processing,
    context,
    bos,
    arrangement,
    rest,
    limit: limit ?? null,
    tokenizer: { location: tokenizer.location, sha256: hashes.tokenizer },
    // No more than is read back, so that going on writes the same bytes.
    text: { location: text.location, files: hashes.text.map(({ name, sha256 }) => ({ name, sha256 })) },
    batchTokens,
    lookAhead,
    shardRows,
  };
}

/** Make the folder; whether it was not there before. */
async function makeFolder(path: string): Promise<boolean> {
  try {
    return (await mkdir(path, { recursive: true })) !== undefined;
  } catch (cause) {
    throw new DataError(`Cannot capture into the folder ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** What the folder holds of the capture. */
async function findBegun(path: string, recipe: CaptureRecipe): Promise<CaptureManifest | undefined> {
  const manifest = await readCapture(path);
  if (manifest === undefined) {
    const other = (await readdir(path)).find((name) => /\.(safetensors|npy|arrow)$/.test(name));
    if (other === undefined) return undefined;
    throw new DataError(
      `${path} holds ${other}, but no ${MANIFEST} that says what it is of: give another folder, or empty it`,
    );
  }
  const differences = recipeDifferences(manifest, recipe);
  if (differences.length > 0)
    throw new DataError(
      `${path} holds another capture than is asked for: ${differences.join("; ")}. Give another folder, or empty it`,
    );
  for (const { name, sha256 } of manifest.shards)
    if ((await hashOf(join(path, name))) !== sha256)
      throw new DataError(`${join(path, name)} has been changed since it was captured: empty the folder`);
  return manifest;
}

function emptyManifest(
  recipe: CaptureRecipe,
  engine: string,
  first: readonly CapturedWindow[],
): CaptureManifest {
  return {
    schema: captureSchema,
    ...recipe,
    engine,
    tokens: 0,
    documents: 0,
    excluded: 0,
    bytesPerToken: 0,
    complete: false,
    shards: [],
    checksum: captureChecksum(first),
  };
}

/** Write the next shard, and that it is there. */
async function addShard(
  path: string,
  manifest: CaptureManifest,
  windows: readonly CapturedWindow[],
): Promise<CaptureManifest> {
  let { documents, excluded } = manifest;
  let document = manifest.shards.at(-1)?.lastDocument;
  for (const { window } of windows) {
    for (const mark of window.excluded) excluded += mark;
    for (const id of window.documentIds) {
      if (id !== document) documents++;
      document = id;
    }
  }
  const shard = await writeShard(path, shardName(manifest.shards.length), windows, manifest.dtype);
  const shards = [...manifest.shards, shard];
  const tokens = manifest.tokens + shard.rows;
  const bytesPerToken = shards.reduce((sum, { bytes }) => sum + bytes, 0) / tokens;
  const added = { ...manifest, tokens, documents, excluded, bytesPerToken, shards };
  await write(path, added);
  return added;
}

async function write(path: string, manifest: CaptureManifest): Promise<void> {
  await writeAtomically(join(path, MANIFEST), [encodeCaptureManifest(manifest)]);
}

async function hashOf(path: string): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk);
  } catch {
    // A shard that is gone, or cannot be read, has no hash.
    return undefined;
  }
  return hash.digest("hex");
}
