import { FormatError, UnsupportedError } from "../errors.ts";
import type { FlatTable } from "./flat-table.ts";

/** What a column of an Arrow table, or the items of a list in it, are. */
export type ArrowType =
  | { readonly kind: "float"; readonly bits: 16 | 32 | 64 }
  | { readonly kind: "int"; readonly bits: 8 | 16 | 32 | 64; readonly signed: boolean }
  | { readonly kind: "list"; readonly offsetBits: 32 | 64 }
  | { readonly kind: "fixed-size-list"; readonly size: number }
  /** A type whose values are never read; `buffers` is how many it takes in a record batch, children not counted. */
  | { readonly kind: "other"; readonly name: string; readonly buffers: number };

/** A column, or the items of a list. */
export interface ArrowField {
  readonly name: string;
  readonly type: ArrowType;
  readonly children: readonly ArrowField[];
}

/** Deeper nesting than this is taken for an attack on the stack. */
const deepest = 32;

/** Names of Arrow's types by number, and the buffers of those whose values are never read. */
const otherTypes: readonly (readonly [name: string, buffers: number] | undefined)[] = [
  undefined,
  ["null", 0],
  undefined,
  undefined,
  ["binary", 3],
  ["text", 3],
  ["bool", 2],
  ["decimal", 2],
  ["date", 2],
  ["time", 2],
  ["timestamp", 2],
  ["interval", 2],
  undefined,
  ["struct", 1],
  undefined,
  ["fixed-size binary", 2],
  undefined,
  ["map", 2],
  ["duration", 2],
  ["large binary", 3],
  ["large text", 3],
  undefined,
  ["run-end encoded", 0],
  undefined,
  undefined,
  ["list view", 3],
  ["large list view", 3],
];

/**
 * The columns of a schema message (its `Schema` table). `label` names the message in errors. Throws {@link FormatError}
 * for a schema that is damaged, {@link UnsupportedError} for big-endian data and for columns of a type whose size in a
 * record batch cannot be told (unions, views).
 *
 * Format: https://github.com/apache/arrow/blob/main/format/Schema.fbs
 */
export function parseArrowSchema(schema: FlatTable, label: string): readonly ArrowField[] {
  if (schema.int16(0) !== 0)
    throw new UnsupportedError(`${label} describes big-endian data, expected little-endian`);
  // Tables may share their parts, so a small message can describe a tree of any size.
  let budget = 10_000;

  function parseField(table: FlatTable, depth: number): ArrowField {
    if (--budget < 0) throw new FormatError(`${label} has more than 10000 fields`);
    if (depth > deepest) throw new FormatError(`${label} is nested more than ${deepest} deep`);
    const name = table.text(0);
    // A dictionary-encoded column holds indices; its field describes the values, which lie elsewhere.
    if (table.has(4)) return { name, type: { kind: "other", name: "dictionary", buffers: 2 }, children: [] };
    const children = table.tables(5).map((child) => parseField(child, depth + 1));
    return { name, type: parseType(table, name, children.length, label), children };
  }

  return schema.tables(1).map((table) => parseField(table, 0));
}

function parseType(field: FlatTable, name: string, children: number, label: string): ArrowType {
  const id = field.uint8(2);
  const details = field.table(3);
  const wrong = (what: string) =>
    new FormatError(`${label} gives the column ${JSON.stringify(name)} ${what}`);
  const need = (count: number) => {
    if (children !== count) throw wrong(`${children} kinds of items, expected ${count}`);
  };
  switch (id) {
    case 2: {
      const bits = details?.int32(0);
      if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64) throw wrong(`integers of ${bits} bits`);
      return { kind: "int", bits, signed: details?.uint8(1) === 1 };
    }
    case 3: {
      const bits = ([16, 32, 64] as const)[details?.int16(0) ?? 0];
      if (bits === undefined) throw wrong(`an unknown precision, ${details?.int16(0)}`);
      return { kind: "float", bits };
    }
    case 12:
    case 21:
      need(1);
      return { kind: "list", offsetBits: id === 12 ? 32 : 64 };
    case 16: {
      need(1);
      const size = details?.int32(0) ?? 0;
      if (size < 0) throw wrong(`lists of ${size} items`);
      return { kind: "fixed-size-list", size };
    }
    default: {
      const other = otherTypes[id];
      if (other === undefined)
        throw new UnsupportedError(
          `${label} has a column ${JSON.stringify(name)} of a type that cannot be read (${id})`,
        );
      return { kind: "other", name: other[0], buffers: other[1] };
    }
  }
}
