/** Codes of `TensorProto.DataType`, by ONNX Runtime's names. */
export const elementTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
} as const;

/** An attribute of a node, as far as it is a number, a list of numbers or a text. */
export interface OnnxAttribute {
  readonly int?: number;
  readonly ints?: readonly number[];
  readonly float?: number;
  readonly text?: string;
}

/** A node of a graph. The name "" stands for an optional value that is left out. */
export interface OnnxNode {
  readonly name: string;
  readonly opType: string;
  /** "" for the operators of ONNX itself. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Values that the node's own graphs (of If, Loop, Scan) read from the graph around it. */
  readonly captured: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
  /** Names of values that are made inside the node's own graphs; empty for most nodes. */
  readonly inner: readonly string[];
  /** The NodeProto as it is written. */
  readonly bytes: Uint8Array;
}

/** A constant of a graph. */
export interface OnnxInitializer {
  readonly name: string;
  /** A code of `TensorProto.DataType`. */
  readonly elementType: number;
  readonly dims: readonly number[];
  /** The TensorProto as it is written: with its values where they are few, else with a reference to {@link data}. */
  readonly bytes: Uint8Array;
  /** Where the values lie that are not in {@link bytes}: a file, by its path from the model's folder, and a range of bytes. */
  readonly data?: { readonly file: string; readonly offset: number; readonly length: number };
}

/** What a graph says of one of its values. */
export interface OnnxValue {
  readonly name: string;
  /** A code of `TensorProto.DataType`; absent where the graph does not tell. */
  readonly elementType?: number;
  /** A number, or the name of an axis that varies ("" where it has none); absent where the graph does not tell. */
  readonly shape?: readonly (number | string)[];
  /** The ValueInfoProto as it is written. */
  readonly bytes: Uint8Array;
}

/** An ONNX graph as a value: what of it matters here by name, the rest as the bytes it was read as. */
export interface OnnxGraph {
  /** In an order in which they can be run. */
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxInitializer>;
  /** Without the initializers, which old files list here too. */
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** What the file says of values between. */
  readonly values: ReadonlyMap<string, OnnxValue>;
}

/** An ONNX file, its large weights left where they are. */
export interface OnnxModel extends OnnxGraph {
  /** The file, for people and error messages. */
  readonly location: string;
  /** Version of the operators of ONNX itself. */
  readonly opset: number;
  /** Every field of the ModelProto but the graph, as it is written. */
  readonly preamble: Uint8Array;
}
