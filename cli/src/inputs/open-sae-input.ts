import { type ByteSource, openSae } from "@saestitch/core";
import { openSaeFiles } from "@saestitch/core/node";
import type { OutputStream } from "../terminal/output-stream.ts";
import type { StartProgress } from "../terminal/progress.ts";
import { downloadProgress } from "./download-progress.ts";
import { hashOfHashes, hashSource } from "./hash-source.ts";
import type { HashedFile, SaeInput } from "./provenance.ts";

/** Read the SAE at a path or hf: address, and hash the files that were read for it. */
export async function openSaeInput(
  address: string,
  { stderr, startProgress }: { readonly stderr: OutputStream; readonly startProgress: StartProgress },
): Promise<SaeInput> {
  const download = downloadProgress(startProgress);
  const files = await openSaeFiles(address, {
    onProgress: download.update,
    onWarning: (message) => stderr.write(`warning: ${message}\n`),
  });
  try {
    const opened = new Map<string, ByteSource>();
    const sae = await openSae({
      location: files.location,
      list: () => files.list(),
      async open(name) {
        const source = await files.open(name);
        opened.set(name, source);
        return source;
      },
    });
    const hashed: HashedFile[] = [];
    for (const [name, source] of [...opened].sort(([a], [b]) => (a < b ? -1 : 1))) {
      hashed.push({ name, bytes: source.byteLength, sha256: await hashSource(source) });
    }
    return {
      sae,
      location: sae.origin.location ?? files.location,
      files: hashed,
      hash: hashOfHashes(hashed),
    };
  } finally {
    download.end();
    await files.close();
  }
}
