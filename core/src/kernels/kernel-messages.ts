import type { Matrix } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import type { AdamMoments, AdamStep, GradientTerm, Matches, Selection } from "./kernels.ts";

/**
 * A share of a call that one worker does: a range of its rows. All arrays lie in shared memory, so only references travel;
 * results of known size are written in place.
 */
export type KernelTask =
  /** Answered when the worker can take tasks. */
  | { readonly kind: "open" }
  /** Answered with a {@link SparseCode}. */
  | {
      readonly kind: "encode";
      readonly x: Matrix;
      readonly encoder: Matrix;
      readonly bias: Float32Array;
      readonly selection: Selection;
    }
  | {
      readonly kind: "decode";
      readonly code: SparseCode;
      readonly decoder: Matrix;
      readonly base: Matrix;
      readonly sign: 1 | -1;
      readonly out: Matrix;
    }
  | {
      readonly kind: "project";
      readonly code: SparseCode;
      readonly decoder: Matrix;
      readonly residual: Matrix;
      readonly out: Float32Array;
    }
  | {
      readonly kind: "walk";
      readonly code: SparseCode;
      readonly decoder: Matrix;
      readonly residual: Matrix;
      readonly group: Int32Array | undefined;
      readonly out: Float32Array;
    }
  | { readonly kind: "match"; readonly rows: Matrix; readonly among: Matrix; readonly out: Matches }
  /** Updates `weights` and `moments` in place. */
  | {
      readonly kind: "update";
      readonly weights: Matrix;
      readonly moments: AdamMoments;
      readonly gradient: readonly GradientTerm[];
      readonly adam: AdamStep;
      readonly unitRows: boolean;
    };

/** What a worker sends back for each task, in order. */
export type KernelReply = { readonly result: SparseCode | undefined } | { readonly error: string };

/** The pool's end of a worker: a `Worker` of the browser, or what stands for one elsewhere. */
export interface KernelPort {
  postMessage(task: KernelTask): void;
  terminate(): unknown;
  onmessage: ((event: { readonly data: KernelReply }) => void) | null;
  /** Called when the worker cannot be loaded, dies, or throws outside of a task. */
  onerror: ((event: { readonly message?: string }) => void) | null;
}

/** The worker's end: `self` of a browser's worker, `parentPort` of a Node worker thread. */
export interface KernelServerPort {
  postMessage(reply: KernelReply): void;
  onmessage: ((event: { readonly data: KernelTask }) => void) | null;
}
