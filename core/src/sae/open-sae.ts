import { UnsupportedError } from "../errors.ts";
import { describeNames } from "../formats/json.ts";
import { checkSae } from "./check-sae.ts";
import type { SaeFiles } from "./dialects/dialect.ts";
import { dialects } from "./dialects/index.ts";
import type { Sae } from "./sae.ts";

/**
 * Read the SAE that `files` hold, whatever its dialect, and check it. Rejects with {@link UnsupportedError} when no
 * dialect knows the files or the SAE cannot be used, FormatError for broken files, ShapeError and DataError as `checkSae`.
 */
export async function openSae(files: SaeFiles): Promise<Sae> {
  const names = await files.list();
  for (const dialect of dialects) {
    if (!(await dialect.recognizes(files, names))) continue;
    const sae = await dialect.read(files, names);
    checkSae(sae);
    return sae;
  }
  const known = dialects.map(({ name, fileNames }) => `${name} (${fileNames.join(", ")})`).join("; ");
  throw new UnsupportedError(
    `Cannot find an SAE in ${files.location}: its files are: ${describeNames(names)}; expected the files of one of ${known}${hint(names)}`,
  );
}

/** The folders beneath that could be meant. */
function hint(names: readonly string[]): string {
  const weights = dialects.flatMap(({ fileNames }) => fileNames);
  const beneath = new Set(
    names
      .filter((name) => name.includes("/") && weights.includes(name.slice(name.lastIndexOf("/") + 1)))
      .map((name) => name.slice(0, name.lastIndexOf("/"))),
  );
  if (beneath.size === 0) return "";
  return `. Name one of the folders beneath: ${describeNames(beneath)}`;
}
