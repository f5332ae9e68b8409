import type { DataRange } from "./data-range.ts";
import type { OnnxModel } from "./onnx-model.ts";
import { readNode } from "./read-node.ts";

/** The files that a model's values lie in, by their paths from the model's folder, and how many bytes each must at least have. */
export function dataFiles(model: OnnxModel): ReadonlyMap<string, number> {
  const files = new Map<string, number>();
  const add = ({ data }: { readonly data?: DataRange }) => {
    if (data) files.set(data.file, Math.max(files.get(data.file) ?? 0, data.offset + data.length));
  };
  for (const initializer of model.initializers.values()) add(initializer);
  // Values in a node's attributes, and in the graphs there.
  for (const { bytes } of model.nodes) readNode(bytes, model.location, { onTensor: add });
  return files;
}
