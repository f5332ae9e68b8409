import type { EncodedGraph, HostTensor, KeptTensor, TensorInfo, WantedOutputs } from "./engine.ts";

/** What a thread that hosts an engine can be asked to do. */
export type EngineCall =
  | { readonly kind: "load"; readonly graph: EncodedGraph }
  | {
      readonly kind: "run";
      readonly session: number;
      readonly feeds: Readonly<Record<string, HostTensor | KeptTensor>>;
      readonly wanted: WantedOutputs;
    }
  | { readonly kind: "release"; readonly tensors: readonly KeptTensor[] }
  | { readonly kind: "close-session"; readonly session: number }
  | { readonly kind: "close" };

/** A call on its way. */
export interface EngineRequest {
  readonly id: number;
  readonly call: EngineCall;
}

/** What the calls resolve to. */
export interface EngineResults {
  load: {
    readonly session: number;
    readonly inputs: readonly TensorInfo[];
    readonly outputs: readonly TensorInfo[];
  };
  run: {
    readonly fetched: Readonly<Record<string, HostTensor>>;
    readonly kept: Readonly<Record<string, KeptTensor>>;
  };
  release: undefined;
  "close-session": undefined;
  close: undefined;
}

/** The answer to a call; the first answer of a thread, with id 0, says that its engine is open, and what it is called. */
export type EngineAnswer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly name: string; readonly message: string } };
