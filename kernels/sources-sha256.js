import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** sha256 of the C sources, names and contents; the addon says of which it was built. */
export function sourcesSha256() {
  const folder = fileURLToPath(new URL("src", import.meta.url));
  const names = readdirSync(folder, { recursive: true }).filter((name) => /\.[ch]$/.test(name));
  const hash = createHash("sha256");
  for (const name of names.sort()) hash.update(name).update(readFileSync(join(folder, name)));
  return hash.digest("hex");
}
