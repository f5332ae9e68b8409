import { type BasicType, parquetWriteBuffer } from "hyparquet-writer";
import { saestitchVersion } from "../version.ts";
import { finiteOrNull } from "./finite-or-null.ts";

/** One column of a table: numbers that are not defined are written as null. */
export interface TableColumn {
  readonly name: string;
  readonly type: BasicType;
  readonly data: ArrayLike<string | number | null>;
}

/** Columns of one length as a Parquet file, `schema` among its metadata. */
export function parquetTable(schema: string, columns: readonly TableColumn[]): Uint8Array {
  const bytes = parquetWriteBuffer({
    columnData: columns.map(({ name, type, data }) => ({
      name,
      type,
      data: Array.from(data, (value) => (typeof value === "number" ? finiteOrNull(value) : value)),
    })),
    kvMetadata: [{ key: "schema", value: schema }],
    createdBy: `saestitch ${saestitchVersion}`,
  });
  return new Uint8Array(bytes);
}
