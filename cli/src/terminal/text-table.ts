/** A column of a text table: its heading, and whether cells line up at the right (numbers) or the left (words). */
export interface Column {
  readonly heading: string;
  readonly align: "left" | "right";
}

/** Rows of cells in columns two spaces apart, under their headings unless all are empty. */
export function textTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const hasHeadings = columns.some(({ heading }) => heading !== "");
  const lines = hasHeadings ? [columns.map(({ heading }) => heading), ...rows] : rows;
  const widths = columns.map((_, c) => Math.max(...lines.map((cells) => cells[c].length)));
  return lines
    .map((cells) =>
      cells
        .map((cell, c) => (columns[c].align === "right" ? cell.padStart(widths[c]) : cell.padEnd(widths[c])))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** `text` with every line moved two spaces to the right. */
export function indented(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}
