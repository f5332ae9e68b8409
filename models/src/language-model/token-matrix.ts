import { type Matrix, matrix, ShapeError } from "@saestitch/core";
import type { HostTensor } from "../engine/engine.ts";
import type { TokenBatch } from "../tokens/token-batch.ts";
import { floatValues } from "./host-values.ts";

/** A value with a vector per token as [rows · length × d]. Throws {@link ShapeError} when the batch's axes are not its first. */
export function tokenMatrix(value: HostTensor, { rows, length }: TokenBatch): Matrix {
  const tokens = rows * length;
  const [first, second] = value.dims;
  const fits = first === tokens || (first === rows && second === length);
  const values = floatValues(value);
  if (!fits || values.length % tokens !== 0)
    throw new ShapeError(
      `Cannot read a value of shape [${value.dims.join(", ")}] as activations of ${rows} rows of ${length} tokens`,
    );
  return matrix(tokens, values.length / tokens, values);
}
