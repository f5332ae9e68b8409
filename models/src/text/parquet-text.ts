import { type ByteSource, describeNames, FormatError } from "@saestitch/core";
import { type ColumnMetaData, type FileMetaData, parquetSchema } from "hyparquet";
import { columnValues } from "./parquet-column.ts";
import { readFooter } from "./parquet-footer.ts";
import { noSuchColumn } from "./text-value.ts";

/**
 * The documents of a Parquet file: the strings of its column `column` (default "text"), row by row; nulls and blank texts are left out. Only
 * the footer and that column are read, a few pages of it at a time.
 *
 * Rejects with {@link FormatError} when the file is not Parquet, is damaged or cut off, when it has no such column of text, and for text
 * that is not UTF-8.
 */
export async function* parquetDocuments(
  source: ByteSource,
  { column = "text" }: { readonly column?: string } = {},
): AsyncGenerator<string> {
  const metadata = await readFooter(source);
  const { isOptional } = findTextColumn(source.name, metadata, column);
  let row = 0;
  for (const [index, group] of metadata.row_groups.entries()) {
    const place = `row group ${index} of ${source.name}`;
    const rows = Number(group.num_rows);
    const chunk = group.columns.find(({ meta_data }) => isColumn(meta_data, column));
    if (!chunk?.meta_data || chunk.file_path) {
      throw new FormatError(`Cannot read ${place}: its column ${JSON.stringify(column)} is not in this file`);
    }
    for await (const value of columnValues(source, chunk.meta_data, { rows, isOptional, place })) {
      const text = value === undefined ? "" : decode(value, source.name, row);
      row += 1;
      if (text.trim() !== "") yield text;
    }
  }
}

function isColumn(metadata: ColumnMetaData | undefined, column: string): boolean {
  return metadata?.path_in_schema.length === 1 && metadata.path_in_schema[0] === column;
}

/** Check that a column is of text; whether it may have nulls. */
function findTextColumn(name: string, metadata: FileMetaData, column: string): { isOptional: boolean } {
  const columns = understood(name, () => parquetSchema(metadata).children);
  const found = columns.find(({ element }) => element.name === column);
  if (found === undefined) {
    throw noSuchColumn(
      name,
      column,
      columns.map(({ element }) => element.name),
    );
  }
  const isText = ({ element, children }: typeof found) =>
    children.length === 0 &&
    element.type === "BYTE_ARRAY" &&
    element.repetition_type !== "REPEATED" &&
    (element.converted_type ?? "UTF8") === "UTF8" &&
    (element.logical_type?.type ?? "STRING") === "STRING";
  if (!isText(found)) {
    const type = found.children.length > 0 ? "nested values" : found.element.type;
    const texts = columns.filter(isText).map(({ element }) => element.name);
    throw new FormatError(
      `${name} has ${found.element.converted_type ?? type} in its column ${JSON.stringify(column)}, expected text; its columns of text are: ${describeNames(texts)}`,
    );
  }
  return { isOptional: found.element.repetition_type !== "REQUIRED" };
}

function understood<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new FormatError(`Cannot read the columns of ${name}: ${(cause as Error).message}`, { cause });
  }
}

function decode(value: Uint8Array, name: string, row: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch (cause) {
    throw new FormatError(`${name} has text that is not UTF-8 in its row ${row}`, { cause });
  }
}
