import type { ByteSource } from "../../formats/byte-source.ts";
import type { Sae } from "../sae.ts";

/** CONTRACT. The files that make up one SAE, wherever they lie: a folder on disk, a hub repository, dropped files. */
export interface SaeFiles {
  /** What was opened, for people and for {@link SaeOrigin.location}; a dialect may read L0 or layer from it. */
  readonly location: string;
  /** Names relative to the SAE's folder, "/"-separated. */
  list(): Promise<readonly string[]>;
  /** Open one of the listed files. */
  open(name: string): Promise<ByteSource>;
}

/** CONTRACT. One publisher's layout of an SAE. The next layout is one more file beside this one, named in `dialects/index.ts`. */
export interface Dialect {
  readonly name: string;
  /** Names of the files that can make up such an SAE. */
  readonly fileNames: readonly string[];
  /** Whether these files look like this dialect; decided by file names and, where they do not tell, by the config's keys. */
  recognizes(files: SaeFiles, names: readonly string[]): Promise<boolean>;
  /** Read the SAE. Throws FormatError for broken files, UnsupportedError for well-formed ones that cannot be used. */
  read(files: SaeFiles, names: readonly string[]): Promise<Sae>;
}
