/** Values of a tensor as JavaScript holds them: Uint16Array for float16 (its bits), BigInt64Array for int64, Uint8Array for bool. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Element types by ONNX Runtime's names. */
export type TensorType =
  | "float32"
  | "float64"
  | "float16"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "bool";

/** A tensor in ordinary memory. */
export interface HostTensor {
  readonly type: TensorType;
  readonly dims: readonly number[];
  /** Row-major. */
  readonly data: TensorData;
}

/** A tensor that stays with the engine until it is released. */
export interface KeptTensor {
  readonly kept: number;
  readonly type: TensorType;
  readonly dims: readonly number[];
}

/** A graph to be loaded: the bytes of its file, and where the weights lie that it refers to. */
export interface EncodedGraph {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Folder that the paths of external data start from, where the engine can read files. */
  readonly folder?: string;
  /** The external data itself, where it cannot. */
  readonly externalData?: readonly { readonly path: string; readonly data: Uint8Array<ArrayBuffer> }[];
}

/** Name, type and shape of what a loaded graph reads or writes; numbers, or names of axes that vary. */
export interface TensorInfo {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: readonly (number | string)[];
}

/** Which outputs of a run are wanted: fetched into ordinary memory, or kept with the engine for a later run. */
export interface WantedOutputs {
  readonly fetch?: readonly string[];
  readonly keep?: readonly string[];
}

/** A loaded graph. */
export interface EngineSession {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** Run the graph. The arrays of `feeds` may be moved to another thread and must not be used again. */
  run(
    feeds: Readonly<Record<string, HostTensor | KeptTensor>>,
    wanted: WantedOutputs,
  ): Promise<{
    readonly fetched: Readonly<Record<string, HostTensor>>;
    readonly kept: Readonly<Record<string, KeptTensor>>;
  }>;
  close(): Promise<void>;
}

/** CONTRACT. Runs ONNX graphs, one run at a time, in the order they were asked for. */
export interface Engine {
  /** For people: "ONNX Runtime 1.30.0, cpu". */
  readonly name: string;
  /** Rejects with FormatError when the graph cannot be run. */
  load(graph: EncodedGraph): Promise<EngineSession>;
  /** Free tensors that were kept. */
  release(tensors: readonly KeptTensor[]): Promise<void>;
  close(): Promise<void>;
}
