import { type Sae, saeWriters } from "@saestitch/core";
import { inputRecord } from "../inputs/sae-record.ts";
import { replaceFolder } from "../output/replace-folder.ts";
import type { OutputStream } from "../terminal/output-stream.ts";
import { saestitchVersion } from "../version.ts";
import { metaDocument } from "./meta-document.ts";
import { metaPicture } from "./meta-picture.ts";
import type { MetaRun } from "./meta-run.ts";
import { decompositionParquet, metaLatentsParquet } from "./meta-tables.ts";

/** Name of the record in the folder of a meta-SAE. */
export const META_RECORD = "meta.json";

/** The layout meta-SAEs are written in: SAELens, release 6. */
const [writer] = saeWriters;

/** How a meta-SAE came about, beyond its inputs. */
export interface MetaCircumstances {
  readonly commandLine: readonly string[];
  /** Every option with its value, defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Name of the kernels that computed. */
  readonly kernels: string;
  readonly started: Date;
}

/** Put the folder of a meta-SAE at `out`, whole or not at all, and say which files it has. */
export async function writeMeta(
  out: string,
  run: MetaRun,
  { commandLine, options, kernels, started }: MetaCircumstances,
  stderr: OutputStream,
): Promise<void> {
  const { larger, comparison } = run;
  const record = {
    ...metaDocument(run),
    recipe: {
      command: ["saestitch", ...commandLine],
      versions: { saestitch: saestitchVersion, node: process.version, kernels },
      started: started.toISOString(),
      finished: new Date().toISOString(),
      options,
      inputs: {
        larger: inputRecord(larger.input),
        ...(comparison !== null && { smaller: inputRecord(comparison.smaller.input) }),
      },
    },
  };
  const encode = (text: string) => [new TextEncoder().encode(text)];
  const files = {
    ...Object.fromEntries(writer.write(originated(run)).map(({ name, chunks }) => [name, chunks])),
    "decomposition.parquet": [decompositionParquet(run)],
    "meta-latents.parquet": [metaLatentsParquet(run)],
    "meta.svg": encode(metaPicture(run)),
    [META_RECORD]: encode(`${JSON.stringify(record, null, 1)}\n`),
  };
  await replaceFolder(out, files);
  stderr.write(
    `wrote ${Object.keys(files)
      .map((name) => `${out}/${name}`)
      .join(", ")}\n`,
  );
}

/** The meta-SAE with what a reader of its files must know of it. */
function originated({ metaSae, larger }: MetaRun): Sae {
  const warnings = [`It reads not activations but the directions of ${larger.input.location}, of length 1.`];
  return { ...metaSae, origin: { ...metaSae.origin, warnings } };
}
