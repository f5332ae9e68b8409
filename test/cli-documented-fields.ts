import { readFile } from "node:fs/promises";

/**
 * The fields that a page of docs/ describes in the first table under a heading, or, with `after`, in the first table below the
 * line that begins with it.
 */
export async function documentedFields(
  heading: string,
  after = "",
  page = "label-output.md",
): Promise<string[]> {
  const text = await readFile(new URL(`../docs/${page}`, import.meta.url), "utf8");
  const lines = text.split("\n");
  const title = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === heading);
  if (title === -1) throw new Error(`docs/${page} has no heading ${heading}`);
  const from =
    after === ""
      ? title
      : lines.findIndex((line, i) => i > title && line.includes(after) && !line.startsWith("|"));
  const first = lines.findIndex((line, i) => i > from && line.startsWith("|"));
  const last = lines.findIndex((line, i) => i > first && !line.startsWith("|"));
  return lines
    .slice(first + 2, last)
    .flatMap((line) => [...line.split("|")[1].matchAll(/`([^`]+)`/g)].map(([, name]) => name));
}
