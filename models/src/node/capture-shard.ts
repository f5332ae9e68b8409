import { createHash } from "node:crypto";
import { join } from "node:path";
import { DataError, encodeSafetensors, type TensorToWrite } from "@saestitch/core";
import { writeAtomically } from "@saestitch/core/node";
import type { CaptureDtype, CapturedShard } from "../capture/capture-manifest.ts";
import type { CapturedWindow } from "../capture/capture-windows.ts";

const dtypes = { float16: "F16", bfloat16: "BF16", float32: "F32" } as const;
const largest: Readonly<Record<CaptureDtype, number>> = {
  float16: 65504,
  bfloat16: (2 - 2 ** -7) * 2 ** 127,
  float32: (2 - 2 ** -23) * 2 ** 127,
};

/** Throw {@link DataError} when a value of a window cannot be stored as `dtype`, NaN included. */
export function checkStorable({ window, activations }: CapturedWindow, dtype: CaptureDtype): void {
  const { values, columns } = activations;
  const bound = largest[dtype];
  for (let p = 0; p < values.length; p++) {
    if (Math.abs(values[p]) <= bound) continue;
    const t = Math.floor(p / columns);
    const where = `at token ${t} (id ${window.tokenIds[t]}) of a window of document ${window.documentIds[t]}`;
    throw new DataError(
      Number.isFinite(values[p])
        ? `Cannot store the activation ${values[p]} ${where} as ${dtype}, which holds at most ${bound}: take float32`
        : `The model gives ${values[p]} ${where}, expected a finite number`,
    );
  }
}

/** Name of a shard by its number. */
export const shardName = (index: number) => `shard-${String(index).padStart(5, "0")}.safetensors`;

/**
 * Write windows as a shard: `activations` [n × d], `document_ids` and `token_ids` [n], and `excluded` [n] where there is any special token;
 * whole or not at all.
 */
export async function writeShard(
  folder: string,
  name: string,
  windows: readonly CapturedWindow[],
  dtype: CaptureDtype,
): Promise<CapturedShard> {
  const d = windows[0].activations.columns;
  const rows = windows.reduce((sum, { activations }) => sum + activations.rows, 0);
  const tensors: TensorToWrite[] = [
    {
      name: "activations",
      dtype: dtypes[dtype],
      shape: [rows, d],
      values: { length: rows * d, pieces: () => windows.map(({ activations }) => activations.values) },
    },
    perRow("document_ids", "I32", rows, () => windows.map(({ window }) => window.documentIds)),
    perRow("token_ids", "I32", rows, () => windows.map(({ window }) => window.tokenIds)),
  ];
  if (windows.some(({ window }) => window.excluded.includes(1)))
    tensors.push(perRow("excluded", "U8", rows, () => windows.map(({ window }) => window.excluded)));

  const hash = createHash("sha256");
  let bytes = 0;
  function* hashed() {
    for (const chunk of encodeSafetensors(tensors)) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  }
  await writeAtomically(join(folder, name), hashed());
  const lastDocument = windows[windows.length - 1].window.documentIds.at(-1)!;
  return { name, sha256: hash.digest("hex"), bytes, rows, windows: windows.length, lastDocument };
}

function perRow(
  name: string,
  dtype: "I32" | "U8",
  rows: number,
  pieces: () => Iterable<Int32Array | Uint8Array>,
): TensorToWrite {
  return { name, dtype, shape: [rows], values: { length: rows, pieces } };
}
