import { UnsupportedError } from "@saestitch/core";
import type { HostTensor, TensorInfo, TensorType } from "../engine/engine.ts";
import type { TokenBatch } from "../tokens/token-batch.ts";

/**
 * What a language model's graph is fed with to read `batch`: token ids, the mask of padding, positions from 0, no past. Throws
 * {@link UnsupportedError} for an input that exports of language models do not have.
 */
export function languageFeeds(inputs: readonly TensorInfo[], batch: TokenBatch): Record<string, HostTensor> {
  return Object.fromEntries(inputs.map((input) => [input.name, feedOf(input, batch)]));
}

function feedOf(input: TensorInfo, { rows, length, tokenIds, lengths }: TokenBatch): HostTensor {
  const perToken = (value: (row: number, position: number) => number) =>
    integers(input, [rows, length], (i) => value(Math.floor(i / length), i % length));
  switch (input.name) {
    case "input_ids":
      return perToken((row, position) => tokenIds[row * length + position]);
    case "attention_mask":
      return perToken((row, position) => (position < lengths[row] ? 1 : 0));
    case "position_ids":
      return perToken((_, position) => position);
    case "token_type_ids":
      return perToken(() => 0);
    case "cache_position":
      return integers(input, [length], (i) => i);
    case "use_cache_branch":
    case "num_logits_to_keep":
    case "logits_to_keep":
      return integers(input, input.shape.map(Number), () => 0);
    default:
      if (/^past/.test(input.name) && input.shape.length >= 3) return emptyPast(input, rows);
      throw new UnsupportedError(
        `Cannot feed the model's input ${JSON.stringify(input.name)} [${input.shape.join(", ")}]: expected input_ids, attention_mask, position_ids, token_type_ids, past_key_values.* or cache_position`,
      );
  }
}

/** Keys or values of no tokens: the axis of the batch is the first that varies, every other one that varies counts tokens. */
function emptyPast({ type, shape }: TensorInfo, rows: number): HostTensor {
  const batch = shape.findIndex((size) => typeof size !== "number");
  const dims = shape.map((size, axis) => (typeof size === "number" ? size : axis === batch ? rows : 0));
  return { type, dims, data: type === "float16" ? new Uint16Array(0) : new Float32Array(0) };
}

function integers(
  { name, type }: { readonly name: string; readonly type: TensorType },
  dims: readonly number[],
  value: (i: number) => number,
): HostTensor {
  const length = dims.reduce((product, size) => product * size, 1);
  switch (type) {
    case "int64":
      return { type, dims, data: BigInt64Array.from({ length }, (_, i) => BigInt(value(i))) };
    case "int32":
      return { type, dims, data: Int32Array.from({ length }, (_, i) => value(i)) };
    case "bool":
      return { type, dims, data: Uint8Array.from({ length }, (_, i) => value(i)) };
    default:
      throw new UnsupportedError(
        `Cannot feed the model's input ${JSON.stringify(name)} with ${type}: expected int64, int32 or bool`,
      );
  }
}
