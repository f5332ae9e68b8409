import { describeKernels } from "./kernels.conformance.ts";
import { referenceKernels } from "./reference-kernels.ts";

describeKernels("referenceKernels", async () => referenceKernels, { closable: false });
