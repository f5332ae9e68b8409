import type { Matrix } from "../tensor/matrix.ts";
import type { SparseCode } from "../tensor/sparse-code.ts";
import type { KernelServerPort, KernelTask } from "./kernel-messages.ts";
import { wasmDecode, wasmProject, wasmWalk } from "./wasm-decode.ts";
import { wasmEncode } from "./wasm-encode.ts";
import { WasmInstance } from "./wasm-instance.ts";
import { wasmMatch } from "./wasm-match.ts";
import { wasmUpdate } from "./wasm-update.ts";

/** Do the tasks that arrive at `port`, one after another, in the calling thread: the whole of a kernel worker. */
export function serveKernels(port: KernelServerPort): void {
  const opening = WasmInstance.open();
  port.onmessage = async ({ data: task }) => {
    try {
      port.postMessage({ result: perform(await opening, task) });
    } catch (error) {
      port.postMessage({ error: error instanceof Error ? error.message : String(error) });
    }
    // The shared arrays of the task live on until this thread collects its garbage, of which it makes little and V8 counts
    // none that is shared. This counts, and being untouched costs little.
    new ArrayBuffer(task.kind === "open" ? 0 : (rowsOf(task)?.values.buffer.byteLength ?? 0));
  };
}

function perform(wasm: WasmInstance, task: KernelTask): SparseCode | undefined {
  switch (task.kind) {
    case "open":
      return;
    case "encode":
      return wasmEncode(wasm, task.x, task.encoder, task.bias, task.selection);
    case "decode":
      wasmDecode(wasm, task.code, task.decoder, task.base, task.sign, task.out);
      return;
    case "project":
      wasmProject(wasm, task.code, task.decoder, task.residual, task.out);
      return;
    case "walk":
      wasmWalk(wasm, task.code, task.decoder, task.residual, task.group, task.out);
      return;
    case "match":
      wasmMatch(wasm, task.rows, task.among, task.out);
      return;
    case "update":
      wasmUpdate(wasm, task.weights, task.moments, task.gradient, task.adam, task.unitRows);
      return;
    default:
      return task satisfies never;
  }
}

/** The dense rows of a batch that came with a task. */
function rowsOf(task: Exclude<KernelTask, { kind: "open" }>): Matrix | undefined {
  switch (task.kind) {
    case "encode":
      return task.x;
    case "decode":
      return task.base;
    case "project":
    case "walk":
      return task.residual;
    case "match":
      return task.rows;
    case "update":
      return task.gradient[0]?.rows;
    default:
      return task satisfies never;
  }
}
