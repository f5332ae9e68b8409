import type { TensorType } from "../engine/engine.ts";
import type { Hook } from "../model.ts";
import type { OnnxModel } from "../onnx/onnx-model.ts";
import { type ProbedShape, tokenWidth } from "./probe-shapes.ts";

const floatTypes: readonly TensorType[] = ["float32", "float16", "float64"];

/** The hook that a value is, by the shape it was found to have; undefined where it is not a vector of floats for each token. */
export function hookOf(
  tensor: string,
  name: string | undefined,
  { type, shape }: { readonly type: TensorType; readonly shape: ProbedShape },
): Hook | undefined {
  const d = floatTypes.includes(type) ? tokenWidth(shape) : undefined;
  return d === undefined ? undefined : { tensor, shape, d, ...(name !== undefined && { name }) };
}

/** Names of the values that the nodes of a graph make, in the order of the computation, those of constants left out. */
export function hiddenValues({ nodes }: OnnxModel): string[] {
  return nodes
    .filter(({ opType }) => opType !== "Constant")
    .flatMap(({ outputs }) => outputs.filter((name) => name !== ""));
}
