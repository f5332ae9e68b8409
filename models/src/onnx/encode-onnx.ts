import { PbfWriter } from "pbf";
import type { OnnxModel } from "./onnx-model.ts";
import { graphFields, modelFields } from "./read-onnx.ts";
import { joinBytes } from "./write-message.ts";

/** ONNX demands that a graph has a name. */
const graphName = "graph";

/** A tag and a length. */
const longestHeader = 20;

/**
 * A model as the bytes of an ONNX file, which belongs in the folder of its external data. Reading them back gives an equal value. The graph's
 * own name, texts and annotations are no part of a model and are lost.
 */
export function encodeOnnx({
  preamble,
  nodes,
  initializers,
  inputs,
  outputs,
  values,
}: OnnxModel): Uint8Array<ArrayBuffer> {
  const parts: readonly (readonly [field: number, messages: Iterable<{ readonly bytes: Uint8Array }>])[] = [
    [graphFields.node, nodes],
    [graphFields.initializer, initializers.values()],
    [graphFields.input, inputs],
    [graphFields.output, outputs],
    [graphFields.value, values.values()],
  ];
  const messages = parts.map(([field, of]) => [field, Array.from(of, ({ bytes }) => bytes)] as const);
  const length = messages
    .flatMap(([, all]) => all)
    .reduce((sum, bytes) => sum + bytes.length + longestHeader, 0);
  const graph = new PbfWriter(new Uint8Array(length + 2 * longestHeader));
  graph.writeStringField(graphFields.name, graphName);
  for (const [field, all] of messages) for (const bytes of all) graph.writeBytesField(field, bytes);
  const graphBytes = graph.finish();

  const header = new PbfWriter();
  header.writeTag(modelFields.graph, 2);
  header.writeVarint(graphBytes.length);
  return joinBytes([preamble, header.finish(), graphBytes]);
}
