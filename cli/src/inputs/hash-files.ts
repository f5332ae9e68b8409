import { basename } from "node:path";
import { openFile } from "@saestitch/core/node";
import type { StartProgress } from "../terminal/progress.ts";
import { hashSource } from "./hash-source.ts";
import type { HashedFile } from "./provenance.ts";

const MEGABYTE = 1e6;

/** Hash the files at some paths; they go by their names without the way to them, so that the same files elsewhere have the same hashes. */
export async function hashFiles(
  paths: readonly string[],
  startProgress: StartProgress,
): Promise<HashedFile[]> {
  const sources = await Promise.all(paths.map((path) => openFile(path)));
  const total = sources.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const progress = startProgress({ label: "hashing", unit: "MB", total: total / MEGABYTE });
  try {
    let done = 0;
    const onBytes = (bytes: number) => {
      done += bytes;
      progress.update(done / MEGABYTE);
    };
    const hashed: HashedFile[] = [];
    for (const source of sources) {
      hashed.push({
        name: basename(source.name),
        bytes: source.byteLength,
        sha256: await hashSource(source, { onBytes }),
      });
    }
    return hashed;
  } finally {
    progress.end();
    await Promise.all(sources.map((source) => source.close()));
  }
}
