import { FormatError } from "../errors.ts";

/**
 * One table of a FlatBuffers message, read field by field with every offset checked.
 *
 * Fields are named by their number in the schema. An absent field gives the default of its type. All methods throw
 * {@link FormatError} when an offset leaves the message, so that a damaged message can neither be read wrongly in
 * silence nor make anyone count to a length that is not there.
 *
 * Format: https://flatbuffers.dev/internals/
 */
export class FlatTable {
  readonly #view: DataView;
  readonly #position: number;
  readonly #label: string;

  private constructor(view: DataView, position: number, label: string) {
    this.#view = view;
    this.#position = position;
    this.#label = label;
  }

  /** The table a message begins with; `label` is what to call the message in errors. */
  static root(bytes: Uint8Array, label: string): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, 0, label).#follow(0);
  }

  uint8(field: number): number {
    const at = this.#locate(field, 1);
    return at === 0 ? 0 : this.#view.getUint8(at);
  }

  int16(field: number): number {
    const at = this.#locate(field, 2);
    return at === 0 ? 0 : this.#view.getInt16(at, true);
  }

  int32(field: number): number {
    const at = this.#locate(field, 4);
    return at === 0 ? 0 : this.#view.getInt32(at, true);
  }

  /** A 64-bit integer, which must be a length: from 0 to 2^53 − 1. */
  length64(field: number): number {
    const at = this.#locate(field, 8);
    return at === 0 ? 0 : this.#length64At(at);
  }

  /** Whether a field is there. */
  has(field: number): boolean {
    return this.#locate(field, 0) !== 0;
  }

  table(field: number): FlatTable | undefined {
    const at = this.#locate(field, 4);
    return at === 0 ? undefined : this.#follow(at);
  }

  tables(field: number): FlatTable[] {
    const { at, count } = this.#vector(field, 4);
    return Array.from({ length: count }, (_, i) => this.#follow(at + 4 * i));
  }

  text(field: number): string {
    const { at, count } = this.#vector(field, 1);
    const bytes = new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, count);
    return new TextDecoder().decode(bytes);
  }

  /** A vector of structs of two 64-bit lengths each. */
  lengthPairs(field: number): (readonly [number, number])[] {
    const { at, count } = this.#vector(field, 16);
    return Array.from({ length: count }, (_, i) => [
      this.#length64At(at + 16 * i),
      this.#length64At(at + 16 * i + 8),
    ]);
  }

  /** Where a field of this many bytes lies, or 0 when it is absent. */
  #locate(field: number, bytes: number): number {
    this.#require(this.#position, 4);
    const vtable = this.#position - this.#view.getInt32(this.#position, true);
    this.#require(vtable, 4);
    const entry = 4 + 2 * field;
    if (entry + 2 > this.#view.getUint16(vtable, true)) return 0;
    this.#require(vtable + entry, 2);
    const offset = this.#view.getUint16(vtable + entry, true);
    if (offset === 0) return 0;
    this.#require(this.#position + offset, bytes);
    return this.#position + offset;
  }

  #vector(field: number, elementBytes: number): { at: number; count: number } {
    const field32 = this.#locate(field, 4);
    if (field32 === 0) return { at: 0, count: 0 };
    const start = field32 + this.#view.getUint32(field32, true);
    this.#require(start, 4);
    const count = this.#view.getUint32(start, true);
    this.#require(start + 4, count * elementBytes);
    return { at: start + 4, count };
  }

  #follow(at: number): FlatTable {
    this.#require(at, 4);
    const position = at + this.#view.getUint32(at, true);
    this.#require(position, 4);
    return new FlatTable(this.#view, position, this.#label);
  }

  #length64At(at: number): number {
    const value = this.#view.getBigInt64(at, true);
    if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER))
      throw new FormatError(`${this.#label} holds the length ${value}, expected 0 to 2^53 - 1`);
    return Number(value);
  }

  #require(start: number, bytes: number): void {
    if (start >= 0 && start + bytes <= this.#view.byteLength) return;
    throw new FormatError(
      `${this.#label} is damaged: it points to bytes ${start} to ${start + bytes} of its ${this.#view.byteLength}`,
    );
  }
}
