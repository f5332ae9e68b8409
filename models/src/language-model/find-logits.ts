import { elementTypes, type OnnxModel } from "../onnx/onnx-model.ts";

/** The output of a language model that scores every token of its vocabulary. */
export interface Logits {
  readonly name: string;
  /** A code of `TensorProto.DataType`. */
  readonly elementType: number;
  /** Absent where the file does not tell. */
  readonly vocabulary?: number;
}

/** The logits of an export; undefined for a model without them, such as an export for feature extraction. */
export function findLogits({ outputs }: OnnxModel): Logits | undefined {
  const output = outputs.find(({ name }) => name === "logits");
  if (output === undefined) return undefined;
  const width = output.shape?.at(-1);
  return {
    name: output.name,
    elementType: output.elementType ?? elementTypes.float32,
    ...(typeof width === "number" && { vocabulary: width }),
  };
}
