import type { Context } from "../context.ts";
import { announceFiles } from "../output/announce-files.ts";
import type { OutputFolder } from "../output/output-folder.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { styleFor } from "../terminal/style.ts";
import { labelDocument } from "./label-document.ts";
import { labelReport } from "./label-report.ts";
import type { LabelRun } from "./label-run.ts";

/** Print a labelling to standard output: tables, or the one JSON document; and say where its files lie. */
export async function printLabelRun(
  run: LabelRun,
  { stdout, stderr }: Context,
  { json, folder }: { readonly json: boolean; readonly folder?: OutputFolder | undefined },
): Promise<void> {
  const text = json
    ? `${JSON.stringify(labelDocument(run))}\n`
    : labelReport(run, { width: layoutWidth(stdout), style: styleFor(stdout) });
  await writeAll(stdout, text);
  if (folder !== undefined) announceFiles(stderr, folder, ["latents.parquet", "label.svg"]);
}
