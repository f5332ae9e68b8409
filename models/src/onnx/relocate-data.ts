import { UnsupportedError } from "@saestitch/core";
import { withReference } from "./external-reference.ts";
import type { OnnxModel } from "./onnx-model.ts";
import { describeNode } from "./order-nodes.ts";
import { readNode } from "./read-node.ts";

/**
 * The same model with its data in other files: `rename` gives the new path of each file from the model's folder. Throws
 * {@link UnsupportedError} where a node keeps values of its own in a file that is to be renamed.
 */
export function relocateData(model: OnnxModel, rename: (file: string) => string): OnnxModel {
  for (const node of model.nodes) {
    readNode(node.bytes, model.location, {
      onTensor({ data }) {
        if (data === undefined || rename(data.file) === data.file) return;
        throw new UnsupportedError(
          `Cannot read the values of ${describeNode(node)} of ${model.location} from ${rename(data.file)} instead of ${data.file}: only initializers can move`,
        );
      },
    });
  }
  const initializers = Array.from(model.initializers.values(), (initializer) => {
    const { bytes, data } = initializer;
    const file = data && rename(data.file);
    if (file === undefined || file === data?.file) return initializer;
    const moved = { ...data!, file };
    return { ...initializer, data: moved, bytes: withReference(bytes, moved) };
  });
  return { ...model, initializers: new Map(initializers.map((tensor) => [tensor.name, tensor])) };
}
