import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeSafetensors, makeToyWorld, type Sae, type TensorToWrite } from "@saestitch/core";
import { parquetReadObjects } from "hyparquet";

/** The built command line; `npm test` builds it first. */
export const program = fileURLToPath(new URL("../cli/bin/saestitch.js", import.meta.url));

/** What a finished process left behind. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Start the program without waiting for it. */
export function start(words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [program, ...words], { env: { ...process.env, ...environment } });
  const finished = new Promise<Finished>((resolve) => {
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { child, finished };
}

/** Run the program to its end. */
export function saestitch(...words: string[]): Promise<Finished> {
  return start(words).finished;
}

/** Two SAEs and activations on disk, in a folder of their own. */
export interface WorldOnDisk {
  readonly folder: string;
  readonly smaller: string;
  readonly larger: string;
  readonly activations: string;
  /** Width of an activation. */
  readonly d: number;
  /** Latents of the larger SAE. */
  readonly m: number;
  remove(): Promise<void>;
}

/** Write a small toy world as files: SAEs in SAELens layout, activations with document and token ids (BOS is token 1). */
export async function writeWorld({ documents = 60 } = {}): Promise<WorldOnDisk> {
  const folder = await mkdtemp(join(tmpdir(), "saestitch-cli-"));
  const world = makeToyWorld({ d: 96, documents });
  const paths = {
    smaller: join(folder, "smaller"),
    larger: join(folder, "larger"),
    activations: join(folder, "activations.safetensors"),
  };
  await writeSae(paths.smaller, world.smaller);
  await writeSae(paths.larger, world.larger);
  for await (const batch of world.source.batches({ batchRows: world.source.rows })) {
    const { activations, documentIds, tokenIds } = batch;
    await writeTensors(paths.activations, [
      {
        name: "activations",
        dtype: "F32",
        shape: [activations.rows, activations.columns],
        values: activations.values,
      },
      { name: "document_ids", dtype: "I32", shape: [activations.rows], values: documentIds! },
      { name: "token_ids", dtype: "I32", shape: [activations.rows], values: tokenIds! },
    ]);
  }
  const { rows: m, columns: d } = world.larger.decoder;
  return { folder, ...paths, d, m, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Write a ReLU SAE in SAELens layout. */
export async function writeSae(
  folder: string,
  { encoder, encoderBias, decoder, decoderBias, inputBias }: Sae,
): Promise<void> {
  const { rows: m, columns: d } = encoder;
  const transposed = Float32Array.from(
    { length: m * d },
    (_, i) => encoder.values[(i % m) * d + Math.floor(i / m)],
  );
  await mkdir(folder, { recursive: true });
  await writeTensors(join(folder, "sae_weights.safetensors"), [
    { name: "W_enc", dtype: "F32", shape: [d, m], values: transposed },
    { name: "b_enc", dtype: "F32", shape: [m], values: encoderBias },
    { name: "W_dec", dtype: "F32", shape: [m, d], values: decoder.values },
    { name: "b_dec", dtype: "F32", shape: [d], values: decoderBias },
  ]);
  const config = {
    architecture: "standard",
    d_in: d,
    d_sae: m,
    dtype: "float32",
    apply_b_dec_to_input: inputBias.some((value) => value !== 0),
    normalize_activations: "none",
    metadata: { sae_lens_version: "6.18.0", hook_name: "blocks.0.hook_resid_post", model_name: "toy" },
  };
  await writeFile(join(folder, "cfg.json"), JSON.stringify(config));
}

/** Write a safetensors file. */
export async function writeTensors(path: string, tensors: readonly TensorToWrite[]): Promise<void> {
  await writeFile(path, Buffer.concat([...encodeSafetensors(tensors)]));
}

/** The rows of a Parquet file. */
export async function parquetRows(path: string) {
  const bytes = await readFile(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  return parquetReadObjects({ file });
}
