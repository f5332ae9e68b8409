import { describeKernels } from "./kernels.conformance.ts";
import { createWasmKernels } from "./wasm-kernels.ts";

describeKernels("createWasmKernels()", createWasmKernels);
