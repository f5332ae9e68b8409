import { FormatError } from "../errors.ts";
import { type DType, dtypeBytes, toFloat64 } from "../tensor/dtype.ts";
import type { ArrowField, ArrowType } from "./arrow-schema.ts";
import type { ArrowRecordBatch } from "./arrow-stream.ts";
import type { ByteSource } from "./byte-source.ts";

/** One level of a nested column, and the number of its node and of its first buffer in every record batch. */
export interface ArrowLevel {
  readonly type: ArrowType;
  readonly node: number;
  readonly buffer: number;
}

/** A column of a table: for lists of lists of numbers the outer list, the inner list and the numbers are its levels. */
export interface ArrowColumn {
  readonly name: string;
  /** Outermost first; the fields of a struct are no levels. */
  readonly levels: readonly ArrowLevel[];
}

/** Find the place of every column in the record batches, which hold nodes and buffers depth first. */
export function arrowColumns(fields: readonly ArrowField[]): ArrowColumn[] {
  let node = 0;
  let buffer = 0;

  function visit(field: ArrowField, levels: ArrowLevel[] | undefined): void {
    levels?.push({ type: field.type, node, buffer });
    node += 1;
    buffer += bufferCount(field.type);
    for (const child of field.children) visit(child, field.children.length === 1 ? levels : undefined);
  }

  return fields.map((field) => {
    const levels: ArrowLevel[] = [];
    visit(field, levels);
    return { name: field.name, levels };
  });
}

/** A column and its type as words for a message: `"h" (lists of lists of float16)`. */
export function describeColumn({ name, levels }: ArrowColumn): string {
  return `${JSON.stringify(name)} (${levels.map(({ type }) => describeType(type)).join(" of ")})`;
}

/** The element type of numbers by its safetensors name; nothing for other levels. */
export function arrowDType(type: ArrowType): DType | undefined {
  if (type.kind === "float") return `F${type.bits}`;
  if (type.kind === "int") return type.signed ? `I${type.bits}` : `U${type.bits}`;
  return undefined;
}

/**
 * Where the items of `count` lists from list number `first` on begin, counted in items. Rejects with {@link FormatError}
 * unless each of these lists has exactly `size` items.
 */
export async function firstItem(
  source: ByteSource,
  batch: ArrowRecordBatch,
  { type, buffer }: ArrowLevel,
  first: number,
  count: number,
  size: number,
): Promise<number> {
  if (type.kind === "fixed-size-list") return first * size;
  if (type.kind !== "list") throw new Error(`Not a list: ${type.kind}`);
  const dtype = type.offsetBits === 32 ? "I32" : "I64";
  const bytes = await readElements(source, batch.buffers[buffer + 1], dtype, first, count + 1);
  const offsets = toFloat64(bytes, dtype, { name: source.name });
  for (let i = 0; i < count; i++) {
    if (offsets[i + 1] - offsets[i] !== size) {
      throw new FormatError(
        `${source.name} has a list of ${offsets[i + 1] - offsets[i]} items at position ${first + i}, expected ${size} as in the others`,
      );
    }
  }
  return offsets[0];
}

/** The bytes of `count` elements of a buffer, from element number `first` on. Rejects with {@link FormatError} when it is too short. */
export async function readElements(
  source: ByteSource,
  [start, end]: readonly [start: number, end: number],
  dtype: DType,
  first: number,
  count: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const from = start + first * dtypeBytes[dtype];
  const to = from + count * dtypeBytes[dtype];
  if (first >= 0 && to <= end) return await source.read(from, to);
  throw new FormatError(
    `${source.name} has a buffer of ${end - start} bytes where elements ${first} to ${first + count} of type ${dtype} are wanted`,
  );
}

function bufferCount(type: ArrowType): number {
  switch (type.kind) {
    case "float":
    case "int":
    case "list":
      return 2;
    case "fixed-size-list":
      return 1;
    case "other":
      return type.buffers;
    default:
      throw new Error(`No such type: ${type satisfies never}`);
  }
}

function describeType(type: ArrowType): string {
  switch (type.kind) {
    case "float":
      return `float${type.bits}`;
    case "int":
      return `${type.signed ? "" : "u"}int${type.bits}`;
    case "list":
      return "lists";
    case "fixed-size-list":
      return `lists of ${type.size}`;
    case "other":
      return type.name;
    default:
      throw new Error(`No such type: ${type satisfies never}`);
  }
}
