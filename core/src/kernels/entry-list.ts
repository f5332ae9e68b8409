import type { SparseCode } from "../tensor/sparse-code.ts";
import { groupByKey } from "./group-by-key.ts";

/** Active latents as three growing columns: row, latent, value. */
export class EntryList {
  #rows = new Int32Array(1024);
  #latents = new Int32Array(1024);
  #values = new Float32Array(1024);
  #length = 0;

  append(rows: Int32Array, latents: Int32Array, values: Float32Array): void {
    this.#grow(rows.length);
    this.#rows.set(rows, this.#length);
    this.#latents.set(latents, this.#length);
    this.#values.set(values, this.#length);
    this.#length += rows.length;
  }

  /** The entries as codes of `rows` rows. Those of one row must have been added by ascending latent. */
  toCode(rows: number, columns: number): SparseCode {
    const { offsets, order } = groupByKey(this.#rows.subarray(0, this.#length), rows);
    const indices = new Int32Array(this.#length);
    const values = new Float32Array(this.#length);
    for (let entry = 0; entry < order.length; entry++) {
      indices[entry] = this.#latents[order[entry]];
      values[entry] = this.#values[order[entry]];
    }
    return { rows, columns, offsets, indices, values };
  }

  #grow(more: number): void {
    if (this.#length + more <= this.#rows.length) return;
    const capacity = Math.max(this.#length + more, 2 * this.#rows.length);
    const [rows, latents, values] = [this.#rows, this.#latents, this.#values];
    this.#rows = new Int32Array(capacity);
    this.#latents = new Int32Array(capacity);
    this.#values = new Float32Array(capacity);
    this.#rows.set(rows);
    this.#latents.set(latents);
    this.#values.set(values);
  }
}
