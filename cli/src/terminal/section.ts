import type { Style } from "./style.ts";
import { indented } from "./text-table.ts";

/** A part of a report: its title with a note beside it, and its body indented below. */
export function section(title: string, note: string, body: string, style: Style): string {
  return `${style.bold(title)}${note === "" ? "" : `  ${style.dim(note)}`}\n${indented(body)}\n`;
}
