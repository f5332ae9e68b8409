import { createHash } from "node:crypto";
import type { ByteSource } from "@saestitch/core";

const CHUNK = 8 * 2 ** 20;

/** sha256 of all bytes of a file, in hexadecimal, read in order and never held whole. */
export async function hashSource(
  source: ByteSource,
  { onBytes = () => {} }: { readonly onBytes?: (bytes: number) => void } = {},
): Promise<string> {
  const hash = createHash("sha256");
  for (let start = 0; start < source.byteLength; start += CHUNK) {
    const chunk = await source.read(start, Math.min(start + CHUNK, source.byteLength));
    hash.update(chunk);
    onBytes(chunk.length);
  }
  return hash.digest("hex");
}

/** One hash for several files: the sha256 of what the tool `sha256sum` prints for them in the order of their names. */
export function hashOfHashes(files: readonly { readonly name: string; readonly sha256: string }[]): string {
  const lines = files.map(({ name, sha256 }) => `${sha256}  ${name}\n`);
  const names = new Map(lines.map((line, i) => [line, files[i].name]));
  const inOrder = lines.sort((a, b) => (names.get(a)! < names.get(b)! ? -1 : 1));
  return createHash("sha256").update(inOrder.join("")).digest("hex");
}
