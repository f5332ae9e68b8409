import { makeModel } from "../onnx/make-model.ts";
import { makeNode } from "../onnx/make-node.ts";
import { makeInt64Tensor } from "../onnx/make-tensor.ts";
import { makeValue } from "../onnx/make-value.ts";
import type { OnnxModel } from "../onnx/onnx-model.ts";
import { elementTypes } from "../onnx/onnx-model.ts";

/** Names of what the graphs of losses read and write. */
export const lossNames = {
  /** [rows × length × vocabulary], as the model gives them. */
  logits: "logits",
  /** [rows × length × 1] int64: the next token. */
  targets: "targets",
  /** [rows × length × vocabulary] float32: log-probabilities of the unchanged model. */
  reference: "reference",
  /** [rows × length × 1] float32. */
  crossEntropy: "cross_entropy",
  /** [rows × length × vocabulary] float32. */
  logProbabilities: "log_probabilities",
  /** [rows × length × 1] float32. */
  divergence: "divergence",
} as const;

const { logits, targets, reference, crossEntropy, logProbabilities, divergence } = lossNames;

/**
 * The graph from the logits of the unchanged model to its losses: −log p(target), and the log-probabilities that others are compared with. In a
 * graph, because the vocabulary is wide: the engine does it with all threads, and the logits need not leave it.
 */
export function originalLossGraph(logitType: number): OnnxModel {
  return makeModel({
    nodes: crossEntropyNodes(),
    inputs: [makeValue(logits, logitType, logitShape), makeValue(targets, elementTypes.int64, perToken)],
    outputs: [
      makeValue(crossEntropy, elementTypes.float32, perToken),
      makeValue(logProbabilities, elementTypes.float32, logitShape),
    ],
  });
}

/** The graph from the logits of a changed model to its losses: −log p(target), and KL(unchanged ‖ changed) = Σ p (log p − log q). */
export function changedLossGraph(logitType: number): OnnxModel {
  return makeModel({
    nodes: [
      ...crossEntropyNodes(),
      makeNode("Exp", [reference], ["probabilities"]),
      makeNode("Sub", [reference, logProbabilities], ["differences"]),
      makeNode("Mul", ["probabilities", "differences"], ["terms"]),
      makeNode("ReduceSum", ["terms", "last_axis"], [divergence], { attributes: { keepdims: 1 } }),
    ],
    initializers: [makeInt64Tensor("last_axis", [1], [-1])],
    inputs: [
      makeValue(logits, logitType, logitShape),
      makeValue(targets, elementTypes.int64, perToken),
      makeValue(reference, elementTypes.float32, logitShape),
    ],
    outputs: [
      makeValue(crossEntropy, elementTypes.float32, perToken),
      makeValue(divergence, elementTypes.float32, perToken),
    ],
  });
}

const perToken = ["rows", "length", 1];
const logitShape = ["rows", "length", "vocabulary"];

function crossEntropyNodes() {
  return [
    makeNode("Cast", [logits], ["logits_float"], { attributes: { to: elementTypes.float32 } }),
    makeNode("LogSoftmax", ["logits_float"], [logProbabilities], { attributes: { axis: -1 } }),
    makeNode("GatherElements", [logProbabilities, targets], ["target_log_probability"], {
      attributes: { axis: 2 },
    }),
    makeNode("Neg", ["target_log_probability"], [crossEntropy]),
  ];
}
