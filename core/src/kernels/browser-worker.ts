import type { KernelServerPort } from "./kernel-messages.ts";
import { serveKernels } from "./kernel-server.ts";

serveKernels(globalThis as unknown as KernelServerPort);
