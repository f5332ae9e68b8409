import type { Interruption } from "./interruption.ts";
import type { OutputStream } from "./terminal/output-stream.ts";

/** The world a command runs in. */
export interface Context {
  /** For results. */
  readonly stdout: OutputStream;
  /** For progress, notes and errors. */
  readonly stderr: OutputStream;
  readonly interruption: Interruption;
  /** The words after the program's name, for the record of a run. */
  readonly commandLine: readonly string[];
}
