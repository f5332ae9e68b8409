import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { realData } from "../../core/test-support/real-data.ts";

const fixture = fileURLToPath(new URL("../../fixtures/models/stories260k/", import.meta.url));

/** `weights.json` of fixtures/models/stories260k: what to expect, and how model.onnx_data is made of the checkpoint. */
export interface Stories260kManifest {
  readonly sha256: { readonly "model.onnx_data": string; readonly "tokenizer.json": string };
  /** Cross-entropy over the first 40 stories, in nats per token. */
  readonly lossOfFirst40Stories: number;
  readonly weights: readonly {
    readonly offset: number;
    readonly dims: readonly number[];
    readonly tensor: string;
    readonly layer?: number;
    readonly transform: "none" | "transpose" | "rope-transpose";
  }[];
}

/** Read {@link Stories260kManifest}. */
export async function readStories260kManifest(): Promise<Stories260kManifest> {
  return JSON.parse(await readFile(join(fixture, "weights.json"), "utf8"));
}

/**
 * Write the real language model that {@link realData} has as a folder like those of the hub's ONNX exports: model.onnx, model.onnx_data,
 * config.json, generation_config.json, tokenizer.json and tokenizer_config.json. `folder` must be there, and so must the data.
 */
export async function writeStories260k(folder: string): Promise<void> {
  const { folder: data } = realData();
  const copied = ["model.onnx", "config.json", "generation_config.json", "tokenizer_config.json"];
  for (const name of copied) await copyFile(join(fixture, name), join(folder, name));
  const checkpoint = readCheckpoint(await readFile(join(data, "stories260K.bin")));
  await writeFile(
    join(folder, "model.onnx_data"),
    externalData(checkpoint, (await readStories260kManifest()).weights),
  );
  const tokenizer = JSON.parse(await readFile(join(fixture, "tokenizer-without-vocabulary.json"), "utf8"));
  Object.assign(tokenizer.model, vocabularyAndMerges(await readFile(join(data, "tok512.bin"))));
  await writeFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
}

interface Checkpoint {
  /** Width of an attention head. */
  readonly head: number;
  /** Each tensor of the file and, where it holds one matrix or vector per layer, the length of one. */
  readonly tensors: ReadonlyMap<string, { readonly values: Float32Array; readonly perLayer?: number }>;
}

/** llama2.c's legacy layout: seven int32, then float32 tensors without gaps. */
function readCheckpoint(bytes: Uint8Array): Checkpoint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [d, hidden, layers, heads, keyHeads, vocabulary] = [0, 4, 8, 12, 16, 20].map((at) =>
    view.getInt32(at, true),
  );
  const head = d / heads;
  const sizes: readonly (readonly [string, number])[] = [
    ["rms_att_weight", d],
    ["wq", d * d],
    ["wk", d * keyHeads * head],
    ["wv", d * keyHeads * head],
    ["wo", d * d],
    ["rms_ffn_weight", d],
    ["w1", d * hidden],
    ["w2", d * hidden],
    ["w3", d * hidden],
  ];
  let at = 28;
  const read = (count: number) => {
    const values = Float32Array.from({ length: count }, (_, i) => view.getFloat32(at + 4 * i, true));
    at += 4 * count;
    return values;
  };
  const tensors = new Map<string, { values: Float32Array; perLayer?: number }>();
  tensors.set("token_embedding", { values: read(vocabulary * d) });
  for (const [name, perLayer] of sizes) tensors.set(name, { values: read(layers * perLayer), perLayer });
  tensors.set("rms_final_weight", { values: read(d) });
  return { head, tensors };
}

function externalData({ tensors, head }: Checkpoint, weights: Stories260kManifest["weights"]): Uint8Array {
  const view = new DataView(
    new ArrayBuffer(4 * weights.reduce((sum, { dims }) => sum + dims.reduce((a, b) => a * b), 0)),
  );
  for (const { offset, dims, tensor, layer = 0, transform } of weights) {
    const { values, perLayer = 0 } = tensors.get(tensor)!;
    // Of a transposed matrix, dims are [in, out].
    const [inputs, outputs] = dims;
    const count = dims.reduce((a, b) => a * b);
    for (let i = 0; i < count; i++) {
      let from = i;
      if (transform !== "none") {
        const row = i % outputs;
        const column = Math.floor(i / outputs);
        from = (transform === "transpose" ? row : beforeRope(row, head)) * inputs + column;
      }
      view.setFloat32(offset + 4 * i, values[layer * perLayer + from], true);
    }
  }
  return new Uint8Array(view.buffer);
}

/** The row of a checkpoint's query or key matrix that comes to stand at `row`: halves of a head instead of neighbours are rotated together. */
function beforeRope(row: number, head: number): number {
  const within = row % head;
  const half = head / 2;
  return row - within + 2 * (within % half) + Math.floor(within / half);
}

/** The vocabulary of tok512.bin, and for each piece, best score first, the pairs of pieces that it can be merged from. */
function vocabularyAndMerges(bytes: Uint8Array): {
  vocab: Record<string, number>;
  merges: [string, string][];
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const names = ["<unk>", "<s>", "</s>"];
  for (let byte = 0; byte < 256; byte++)
    names.push(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const pieces: { text: string; score: number }[] = [];
  for (let at = 4, id = 0; at < bytes.length; id++) {
    const length = view.getInt32(at + 4, true);
    const text = new TextDecoder().decode(bytes.subarray(at + 8, at + 8 + length)).replaceAll(" ", "▁");
    if (id >= names.length) pieces.push({ text, score: view.getFloat32(at, true) });
    at += 8 + length;
  }
  const ids = new Map([...names, ...pieces.map(({ text }) => text)].map((text, id) => [text, id]));
  const merges: [string, string][] = [];
  for (const { text } of pieces.toSorted((a, b) => b.score - a.score)) {
    const letters = [...text];
    for (let cut = letters.length - 1; cut > 0; cut--) {
      const [left, right] = [letters.slice(0, cut).join(""), letters.slice(cut).join("")];
      if (ids.has(left) && ids.has(right)) merges.push([left, right]);
    }
  }
  return { vocab: Object.fromEntries(ids), merges };
}
