import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Where a real model's SAEs and activations lie (`stories260k/` in the folder that `SAESTITCH_DATA` names, by default
 * `../shared/data` beside the project), and whether they are there; says so on the console when they are not.
 */
export function realData(): { readonly folder: string; readonly isThere: boolean } {
  const folder = join(resolve(root, process.env.SAESTITCH_DATA ?? "../shared/data"), "stories260k");
  const isThere = existsSync(join(folder, "saes")) && existsSync(join(folder, "activations"));
  if (!isThere) {
    console.warn(
      `Tests on a real model skipped: no saes and activations in ${folder}; SAESTITCH_DATA names its parent`,
    );
  }
  return { folder, isThere };
}
