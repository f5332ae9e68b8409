import { parentPort } from "node:worker_threads";
import type { KernelServerPort } from "../kernels/kernel-messages.ts";
import { serveKernels } from "../kernels/kernel-server.ts";

serveKernels(parentPort as unknown as KernelServerPort);
