import { graphIndex } from "./graph-index.ts";
import { makeNode } from "./make-node.ts";
import type { OnnxModel, OnnxNode } from "./onnx-model.ts";

/** What the fused operators add to a variance unless a node says otherwise. */
const defaultEpsilon = 1e-12;

/**
 * The same model with ONNX Runtime's SkipLayerNormalization and SkipSimplifiedLayerNormalization taken apart: sums, and a normalisation of
 * their result. So the residual stream, which the fused nodes may not even give out, is a value that can be read and replaced.
 *
 * Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
export function unfuseSkipNorms(model: OnnxModel): OnnxModel {
  if (!model.nodes.some(isSkipNorm)) return model;
  const taken = new Set(model.nodes.flatMap(({ outputs, inner }) => [...outputs, ...inner]));
  for (const { name } of [...model.inputs, ...model.initializers.values()]) taken.add(name);
  const free = (name: string): string => {
    let found = name;
    for (let i = 2; taken.has(found); i++) found = `${name}_${i}`;
    taken.add(found);
    return found;
  };
  const { producer } = graphIndex(model);
  const isMadeAfter = (value: string, other: string) => (producer(value) ?? -1) > (producer(other) ?? -1);
  return {
    ...model,
    nodes: model.nodes.flatMap((node) => (isSkipNorm(node) ? unfuse(node, { free, isMadeAfter }) : [node])),
  };
}

function isSkipNorm({ opType, domain, outputs }: OnnxNode): boolean {
  if (domain !== "com.microsoft") return false;
  if (opType === "SkipLayerNormalization") return true;
  // A mean, which is computed for nothing, has no counterpart in the separate operator.
  return opType === "SkipSimplifiedLayerNormalization" && !outputs[1];
}

/**
 * The bias goes to the term that is made last: the residual stream, the other term, is what that is made of. So what a block adds is one value, as
 * it was before it was fused.
 */
function unfuse(
  node: OnnxNode,
  {
    free,
    isMadeAfter,
  }: {
    readonly free: (name: string) => string;
    readonly isMadeAfter: (value: string, other: string) => boolean;
  },
): OnnxNode[] {
  const { opType, name, inputs, outputs, attributes } = node;
  const isSimplified = opType === "SkipSimplifiedLayerNormalization";
  const [input, skip, gamma] = inputs;
  const [beta = "", bias = ""] = isSimplified ? ["", inputs[3]] : inputs.slice(3);
  const [normalised, mean = "", inverseDeviation = "", givenSum = ""] = outputs;
  const sum = givenSum || free(`${normalised}_sum`);
  const parts: OnnxNode[] = [];
  let terms = [input, skip];
  if (bias !== "") {
    const last = isMadeAfter(input, skip) ? input : skip;
    const biased = free(`${last}_biased`);
    parts.push(makeNode("Add", [last, bias], [biased], { name: `${name}/AddBias` }));
    terms = terms.map((term) => (term === last ? biased : term));
  }
  parts.push(makeNode("Add", terms, [sum], { name: `${name}/Add` }));
  const statistics = isSimplified ? [inverseDeviation] : [mean, inverseDeviation];
  parts.push(
    makeNode(
      isSimplified ? "SimplifiedLayerNormalization" : "LayerNormalization",
      withoutAbsent([sum, gamma, beta]),
      withoutAbsent([normalised, ...statistics]),
      {
        name: `${name}/Normalization`,
        attributes: { axis: -1, epsilon: { float: attributes.get("epsilon")?.float ?? defaultEpsilon } },
      },
    ),
  );
  return parts;
}

/** Names without those at the end that stand for a value left out. */
function withoutAbsent(names: readonly string[]): readonly string[] {
  return names.slice(0, names.findLastIndex((name) => name !== "") + 1);
}
