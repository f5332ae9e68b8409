import type { OutputStream } from "../terminal/output-stream.ts";
import type { OutputFolder } from "./output-folder.ts";

/** Say which files were written into a folder, its record last. */
export function announceFiles(stderr: OutputStream, folder: OutputFolder, names: readonly string[]): void {
  stderr.write(`wrote ${names.map((name) => folder.file(name)).join(", ")} and ${folder.record}\n`);
}
