import { FormatError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { openSafetensors, type Safetensors } from "../formats/safetensors.ts";
import { describeShape, type ReadOptions } from "../formats/shape.ts";
import type { ActivationShard } from "./activation-shard.ts";
import { type StoredArray, storedShard } from "./stored-shard.ts";

const floatTypes: readonly string[] = ["F16", "BF16", "F32", "F64"];

/**
 * Open a safetensors file of activations.
 *
 * - `activations` or `activation`, else the only float tensor of two or three axes, or the one named `tensor`:
 *   [n × d] or [sequences × context × d]
 * - `document_ids` [n], optional; without it the sequences of three axes are the documents
 * - `token_ids` or `tokens` [n], optional
 * - `excluded` [n], optional: rows that are not 0 must not count
 * - `mask` [n], optional: rows that are 0 must not count
 *
 * Rejects with FormatError when there are no activations, ShapeError when the tensors disagree on n.
 */
export async function openSafetensorsShard(
  source: ByteSource,
  { tensor }: { readonly tensor?: string | undefined } = {},
): Promise<ActivationShard> {
  const file = await openSafetensors(source);

  function stored<Values>(
    name: string,
    read: (name: string, options: ReadOptions) => Promise<Values>,
  ): StoredArray<Values> {
    return {
      label: `Tensor ${JSON.stringify(name)} of ${file.name}`,
      shape: file.info(name).shape,
      read: (options) => read(name, options),
    };
  }
  function perRow(...names: readonly string[]): StoredArray<Int32Array> | undefined {
    const name = names.find((candidate) => file.has(candidate));
    return name === undefined ? undefined : stored(name, file.readInt32);
  }

  return storedShard(source.name, {
    activations: stored(tensor ?? findActivations(file), file.readFloat32),
    documentIds: perRow("document_ids"),
    tokenIds: perRow("token_ids", "tokens"),
    excluded: perRow("excluded"),
    mask: perRow("mask"),
  });
}

function findActivations(file: Safetensors): string {
  const named = ["activations", "activation"].find((name) => file.has(name));
  if (named !== undefined) return named;
  const candidates = [...file.tensors].filter(
    ([, { dtype, shape }]) => floatTypes.includes(dtype) && (shape.length === 2 || shape.length === 3),
  );
  if (candidates.length === 1) return candidates[0][0];
  const seen = [...file.tensors]
    .slice(0, 20)
    .map(([name, { dtype, shape }]) => `${JSON.stringify(name)} ${dtype} ${describeShape(shape)}`);
  throw new FormatError(
    `Cannot tell which tensor of ${file.name} holds activations: expected "activations" [rows, d], or one float matrix; ` +
      `it has ${seen.join(", ") || "none"}`,
  );
}
