import type { SparseCode } from "@saestitch/core";
import type { TokenExample } from "./token-example.ts";

/** Consecutive rows of a sample, and the codes of those that count. */
export interface ExampleBatch {
  /** [b] */
  readonly tokenIds: Int32Array;
  /** [b]; rows of one document are consecutive. Absent when the sample does not know its documents. */
  readonly documentIds?: Int32Array;
  /** [c × m]: the code of each row that counts. */
  readonly code: SparseCode;
  /** [c]: which rows of the batch these are, ascending; absent when all count. */
  readonly counted?: Int32Array;
}

/**
 * The rows of a sample that are at hand: a batch, with so many of the rows before it that every row can be seen with `around` tokens before
 * and after, and with what the columns of interest have on each.
 */
export class RowWindow {
  readonly #around: number;
  /** Which of the columns of interest a column of the code is; −1 for others. */
  readonly #position: (column: number) => number;
  #start = 0;
  #tokenIds = new Int32Array(0);
  #documentIds: Int32Array | undefined;
  #counts = new Uint8Array(0);
  /** Row i has the entries from offsets[i] to offsets[i + 1]. */
  #offsets = new Int32Array(1);
  #columns: number[] = [];
  #values: number[] = [];

  constructor(columns: readonly number[], around: number) {
    const position = new Map(columns.map((column, c) => [column, c]));
    this.#position = (column) => position.get(column) ?? -1;
    this.#around = around;
  }

  /** Row of the sample that comes after the last one. */
  get end(): number {
    return this.#start + this.#tokenIds.length;
  }

  /** Rows that must follow one before all is known of it. */
  get lookAhead(): number {
    return this.#around + 1;
  }

  /** Add the next rows, and forget those that no row from `next` on needs. */
  add(batch: ExampleBatch, next: number): void {
    const kept = Math.max(this.#start, next - this.#around) - this.#start;
    const before = this.#offsets[kept];
    this.#start += kept;
    this.#tokenIds = joined(this.#tokenIds.subarray(kept), batch.tokenIds);
    this.#documentIds = batch.documentIds && joined(this.#documentIds?.subarray(kept), batch.documentIds);
    this.#columns = this.#columns.slice(before);
    this.#values = this.#values.slice(before);
    this.#addCode(
      batch,
      this.#offsets.slice(kept).map((offset) => offset - before),
      this.#counts.subarray(kept),
    );
  }

  #addCode({ tokenIds, code, counted }: ExampleBatch, offsets: Int32Array, counts: Uint8Array): void {
    const first = counts.length;
    this.#counts = new Uint8Array(first + tokenIds.length);
    this.#counts.set(counts);
    this.#offsets = new Int32Array(first + tokenIds.length + 1);
    this.#offsets.set(offsets);
    for (let i = 0, row = 0; i < tokenIds.length; i++) {
      if (row < code.rows && (counted?.[row] ?? row) === i) {
        this.#counts[first + i] = 1;
        for (let e = code.offsets[row]; e < code.offsets[row + 1]; e++) {
          const position = this.#position(code.indices[e]);
          if (position < 0) continue;
          this.#columns.push(position);
          this.#values.push(code.values[e]);
        }
        row++;
      }
      this.#offsets[first + i + 1] = this.#columns.length;
    }
  }

  tokenAt(row: number): number {
    return this.#tokenIds[row - this.#start];
  }

  /** The document of a row; 0 of every row when the sample does not know its documents. */
  documentAt(row: number): number {
    return this.#documentIds?.[row - this.#start] ?? 0;
  }

  /** Whether the row counts. */
  countsAt(row: number): boolean {
    return this.#counts[row - this.#start] === 1;
  }

  /** Call `visit` with each column of interest, by its position among them, that is active on a row, and how strongly. */
  forEachActive(row: number, visit: (column: number, activation: number) => void): void {
    const i = row - this.#start;
    for (let e = this.#offsets[i]; e < this.#offsets[i + 1]; e++) visit(this.#columns[e], this.#values[e]);
  }

  /** A row as an example of a column; `position` is which token of its document it is. */
  example(row: number, column: number, position: number): TokenExample {
    const document = this.documentAt(row);
    let from = row;
    let to = row + 1;
    while (from > this.#start && row - from < this.#around && this.documentAt(from - 1) === document) from--;
    while (to < this.end && to - row <= this.#around && this.documentAt(to) === document) to++;
    return {
      row,
      ...(this.#documentIds && { document }),
      position,
      activation: this.#activation(row, column),
      tokenIds: this.#tokenIds.slice(from - this.#start, to - this.#start),
      activations: Float32Array.from({ length: to - from }, (_, i) => this.#activation(from + i, column)),
      at: row - from,
      continues: to < this.end && this.documentAt(to) === document,
    };
  }

  #activation(row: number, column: number): number {
    let found = 0;
    this.forEachActive(row, (active, activation) => {
      if (active === column) found = activation;
    });
    return found;
  }
}

function joined(before: Int32Array = new Int32Array(0), after: Int32Array): Int32Array<ArrayBuffer> {
  const all = new Int32Array(before.length + after.length);
  all.set(before);
  all.set(after, before.length);
  return all;
}
