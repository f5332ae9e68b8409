import { type ByteSource, FormatError } from "@saestitch/core";
import { PbfReader } from "pbf";
import { type FieldHeader, readFieldHeader } from "./message.ts";

/** A field of a message in a file. Places are counted from the start of the file. */
export interface FileField extends FieldHeader {
  /** First byte of its tag. */
  readonly tagStart: number;
  readonly end: number;
}

const windowBytes = 128 * 1024;
/** A tag and a length, each of at most 10 bytes. */
const longestHeader = 20;

/** A file that is read forwards by ranges: small neighbouring fields cost one read, and what is not asked for is not read. */
export class FileFields {
  readonly #source: ByteSource;
  #window = new Uint8Array(0);
  #start = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /**
   * The fields of the message that lies between two places, in order. Rejects with {@link FormatError}, beginning with `label`, when a field
   * leaves the message.
   */
  async *fields(start: number, end: number, label: string): AsyncGenerator<FileField> {
    let position = start;
    while (position < end) {
      const headerEnd = Math.min(position + longestHeader, end);
      if (!this.#covers(position, headerEnd)) await this.#load(position, headerEnd);
      const reader = new PbfReader(this.#window.subarray(position - this.#start, headerEnd - this.#start));
      const header = readFieldHeader(reader, label);
      const valueStart = position + header.start;
      if (header.length > end - valueStart) throw this.#leaves(header, end, end - valueStart, label);
      const field = { ...header, tagStart: position, start: valueStart, end: valueStart + header.length };
      position = field.end;
      yield field;
    }
  }

  /** A copy of the bytes between two places. */
  async bytes(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#covers(start, end)) {
      if (end - start > windowBytes) return this.#source.read(start, end);
      await this.#load(start, end);
    }
    return this.#window.slice(start - this.#start, end - this.#start);
  }

  #covers(start: number, end: number): boolean {
    return start >= this.#start && end <= this.#start + this.#window.length;
  }

  async #load(start: number, end: number): Promise<void> {
    this.#window = await this.#source.read(
      start,
      Math.min(Math.max(end, start + windowBytes), this.#source.byteLength),
    );
    this.#start = start;
  }

  #leaves({ number, length }: FieldHeader, end: number, left: number, label: string): FormatError {
    return new FormatError(
      end === this.#source.byteLength
        ? `${label} ends within field ${number}, which has ${length} bytes, of which ${left} are there; is the download complete?`
        : `${label} gives field ${number} a length of ${length} bytes, but only ${left} are left of it: it is damaged`,
    );
  }
}
