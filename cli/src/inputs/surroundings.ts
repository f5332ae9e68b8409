import type { OutputStream } from "../terminal/output-stream.ts";
import type { StartProgress } from "../terminal/progress.ts";

/** Where a command tells what it does. */
export interface Surroundings {
  readonly stderr: OutputStream;
  readonly startProgress: StartProgress;
}
