import type { OnnxNode } from "../onnx/onnx-model.ts";

const words = (text: string): readonly string[] => text.split(" ");

/** Operators that only say of what type, or how exact, their first input's values are. */
const retyping = words(
  "Cast CastLike Identity Dropout QuantizeLinear DequantizeLinear DynamicQuantizeLinear",
);

/** Operators that only cut a tensor's axes anew. */
const reshaping = words("Reshape Flatten Squeeze Unsqueeze");

/** Operators whose values are those of their first input in another order, some of them left out or repeated. */
const moving = words(
  "Transpose Expand Slice Split Tile Pad Gather GatherElements GatherND Compress Resize TopK",
);

/** Operators whose output knows of their input no more than its size. */
const sizing = new Set(words("Shape Size ConstantOfShape"));

/** Products of the first two inputs. */
const products = new Set([
  ...words("MatMul Gemm Einsum Conv FusedMatMul FusedGemm FusedConv GemmFastGelu GemmFloat8"),
  ...words("MatMulNBits MatMulBnb4 MatMulFpQ4 MatMulInteger MatMulInteger16 MatMulIntegerToFloat"),
  ...words("DynamicQuantizeMatMul ConvInteger"),
]);

/** Products of inputs that each are followed by a scale and a zero point. */
const scaledProducts = new Set(words("QLinearMatMul QLinearConv QGemm"));

const softmaxes = new Set(words("Softmax BiasSoftmax QLinearSoftmax"));

const fusedAttention = new Set([
  ...words("Attention MultiHeadAttention GroupQueryAttention SparseAttention PagedAttention PackedAttention"),
  ...words("PackedMultiHeadAttention QAttention QOrderedAttention LongformerAttention DecoderAttention"),
  ...words("DecoderMaskedSelfAttention DecoderMaskedMultiHeadAttention LinearAttention"),
]);

const mixturesOfExperts = new Set(words("MoE QMoE ShardedMoE"));

const sums = new Set(words("Add Sum"));

const retypingSet = new Set(retyping);
const transparentSet = new Set([...retyping, ...reshaping]);
const carryingSet = new Set([...retyping, ...reshaping, ...moving]);

/** Whether a node's first output holds the numbers of its first input, each in its place. */
export const isRetyping = ({ opType }: OnnxNode): boolean => retypingSet.has(opType);

/** Whether a node makes small integers of numbers. */
export const isQuantizing = ({ opType }: OnnxNode): boolean => /^(?:Dynamic)?QuantizeLinear$/.test(opType);

/** Whether a node makes numbers of small integers. */
export const isDequantizing = ({ opType }: OnnxNode): boolean => opType === "DequantizeLinear";

/** Whether a node's first output holds the numbers of its first input in the same order. */
export const isTransparent = ({ opType }: OnnxNode): boolean => transparentSet.has(opType);

/** Whether a node's outputs hold nothing but numbers of its first input; the other inputs say where they go. */
export const isCarrying = ({ opType }: OnnxNode): boolean => carryingSet.has(opType);

/** Whether a node's output depends on the sizes of its inputs alone. */
export const isSizing = ({ opType }: OnnxNode): boolean => sizing.has(opType);

/** Whether a node adds its inputs. */
export const isSum = ({ opType }: OnnxNode): boolean => sums.has(opType);

/** Whether a node is a softmax. */
export const isSoftmax = ({ opType }: OnnxNode): boolean => softmaxes.has(opType);

/** Whether a node is attention as a whole: from queries, keys and values, or from what these are made of, to what the output projection reads. */
export const isFusedAttention = ({ opType }: OnnxNode): boolean => fusedAttention.has(opType);

/** Whether a node is a mixture of experts as a whole. */
export const isMixtureOfExperts = ({ opType }: OnnxNode): boolean => mixturesOfExperts.has(opType);

/** The operands of a product; undefined for a node that is none. */
export function operandsOf({ opType, inputs }: OnnxNode): readonly string[] | undefined {
  if (products.has(opType)) return inputs.slice(0, 2);
  return scaledProducts.has(opType) ? [inputs[0] ?? "", inputs[3] ?? ""] : undefined;
}
