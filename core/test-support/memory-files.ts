import { bytesSource } from "../src/formats/bytes-source.ts";
import type { SaeFiles } from "../src/sae/dialects/dialect.ts";

/** The files of an SAE in memory, by name. */
export function memoryFiles(
  files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>,
  { location = "memory" } = {},
): SaeFiles {
  return {
    location,
    list: async () => Object.keys(files),
    open: async (name) => bytesSource(`${location}/${name}`, files[name]),
  };
}
