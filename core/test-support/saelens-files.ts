import { encodeSafetensors } from "../src/formats/encode-safetensors.ts";
import type { SaeFiles } from "../src/sae/dialects/dialect.ts";
import type { DType, NumericArray } from "../src/tensor/dtype.ts";
import { memoryFiles } from "./memory-files.ts";

/** A tensor to put in a file. Without `values` it is full of `value`, without that of sin(position). */
export interface TestTensor {
  readonly shape: readonly number[];
  readonly dtype?: DType;
  readonly value?: number;
  readonly values?: NumericArray;
}

/** A safetensors file as one piece of memory. */
export function safetensorsBytes(tensors: Readonly<Record<string, TestTensor>>): Uint8Array<ArrayBuffer> {
  const chunks = encodeSafetensors(
    Object.entries(tensors).map(([name, { shape, dtype = "F32", value, values }]) => {
      const length = shape.reduce((product, size) => product * size, 1);
      const filled = Float32Array.from({ length }, (_, p) => value ?? Math.sin(p));
      return { name, dtype, shape, values: values ?? (dtype === "I32" ? Int32Array.from(filled) : filled) };
    }),
  );
  return join([...chunks]);
}

function join(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let start = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, start);
    start += chunk.length;
  }
  return bytes;
}

/** What {@link saelensFiles} changes of a sound SAE. */
export interface SaelensChanges {
  /** Keys of cfg.json to set, or to drop when undefined. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly tensors?: Readonly<Record<string, TestTensor>>;
  readonly files?: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
  /** A file to leave out. */
  readonly without?: string;
}

/** The files of a sound standard SAE of width 4 with 6 latents in SAELens' current layout, changed as asked. */
export function saelensFiles({
  config = {},
  tensors = {},
  files = {},
  without,
}: SaelensChanges = {}): SaeFiles {
  const cfg = {
    architecture: "standard",
    d_in: 4,
    d_sae: 6,
    dtype: "float32",
    metadata: { sae_lens_version: "6.18.0" },
    ...config,
  };
  const weights = {
    W_enc: { shape: [4, 6] },
    W_dec: { shape: [6, 4] },
    b_enc: { shape: [6] },
    b_dec: { shape: [4] },
    ...tensors,
  };
  const all: Record<string, Uint8Array<ArrayBuffer>> = {
    "cfg.json": new TextEncoder().encode(JSON.stringify(cfg)),
    "sae_weights.safetensors": safetensorsBytes(weights),
    ...files,
  };
  return memoryFiles(Object.fromEntries(Object.entries(all).filter(([name]) => name !== without)));
}
