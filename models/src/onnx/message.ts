import { FormatError } from "@saestitch/core";
import { PbfReader } from "pbf";

const integerType = 0;
const eightBytesType = 1;
/** Wire type of a field whose value has a length of its own. */
export const bytesType = 2;
const fourBytesType = 5;

/** Where a field of a protobuf message lies: number, wire type, and the place of its value, without a length before it. */
export interface FieldHeader {
  readonly number: number;
  readonly wireType: number;
  readonly start: number;
  readonly length: number;
}

/**
 * Read the header of the field at the reader's position, which moves to the end of the header; the value itself may lie beyond what the
 * reader has. Throws {@link FormatError}, beginning with `label`, for what is no header.
 *
 * Format: https://protobuf.dev/programming-guides/encoding/
 */
export function readFieldHeader(reader: PbfReader, label: string): FieldHeader {
  const tag = readInteger(reader, label);
  const number = Math.floor(tag / 8);
  const wireType = tag % 8;
  if (number < 1 || number >= 2 ** 29)
    throw new FormatError(`${label} holds a field numbered ${number}, expected 1 to 2^29 - 1: it is damaged`);
  let length: number;
  let start = reader.pos;
  if (wireType === bytesType) {
    length = readInteger(reader, label);
    start = reader.pos;
  } else if (wireType === integerType) {
    readInteger(reader, label);
    length = reader.pos - start;
  } else if (wireType === eightBytesType) length = 8;
  else if (wireType === fourBytesType) length = 4;
  else {
    throw new FormatError(
      `${label} holds a field of wire type ${wireType}, expected 0, 1, 2 or 5: it is damaged`,
    );
  }
  reader.pos = start;
  return { number, wireType, start, length };
}

/** A field of a message in memory, to be read as what it should be. */
export class Field {
  readonly number: number;
  readonly #reader: PbfReader;
  readonly #header: FieldHeader;
  readonly #label: string;

  constructor(header: FieldHeader, reader: PbfReader, label: string) {
    this.number = header.number;
    this.#reader = reader;
    this.#header = header;
    this.#label = label;
  }

  /** The field as it is written, tag included, is what lies between the end of the last one and this. */
  get end(): number {
    return this.#header.start + this.#header.length;
  }

  /** A signed integer; beyond 2^53 the nearest that a number can hold. */
  integer(): number {
    this.#expect(integerType);
    return readInteger(this.#reader, this.#label, true);
  }

  float(): number {
    this.#expect(fourBytesType);
    return this.#reader.readFloat();
  }

  /** A view of the value: a message, or bytes. */
  bytes(): Uint8Array {
    this.#expect(bytesType);
    return this.#reader.buf.subarray(this.#header.start, this.end);
  }

  text(): string {
    const text = utf8Text(this.bytes());
    if (text === undefined) throw new FormatError(`${this.#label} holds a text that is not UTF-8`);
    return text;
  }

  /** Append the integers of a repeated field, packed or not. */
  integers(into: number[]): void {
    const { wireType, start } = this.#header;
    if (wireType !== bytesType) this.#expect(integerType);
    this.#reader.pos = start;
    while (this.#reader.pos < this.end) into.push(readInteger(this.#reader, this.#label, true));
    if (this.#reader.pos > this.end)
      throw new FormatError(`${this.#label} ends field ${this.number} within a number: it is damaged`);
  }

  #expect(wireType: number): void {
    if (this.#header.wireType === wireType) return;
    throw new FormatError(
      `${this.#label} has field ${this.number} in wire type ${this.#header.wireType}, expected ${wireType}`,
    );
  }
}

/**
 * Read a message in memory: `readField` is called for each field, in the order they are written. Throws {@link FormatError}, beginning with
 * `label`, when a field leaves the message.
 */
export function readMessage(bytes: Uint8Array, label: string, readField: (field: Field) => void): void {
  const reader = new PbfReader(bytes);
  while (reader.pos < bytes.length) {
    const header = readFieldHeader(reader, label);
    const left = bytes.length - header.start;
    if (header.length > left) {
      throw new FormatError(
        `${label} gives field ${header.number} a length of ${header.length} bytes, but only ${left} are left of it: it is damaged`,
      );
    }
    readField(new Field(header, reader, label));
    reader.pos = header.start + header.length;
  }
}

/** The text that UTF-8 bytes hold, or nothing when they are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function readInteger(reader: PbfReader, label: string, signed = false): number {
  try {
    return reader.readVarint(signed);
  } catch (cause) {
    throw new FormatError(`${label} ends within a number, or holds one of more than 10 bytes`, { cause });
  }
}
