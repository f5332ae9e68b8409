/**
 * The `capacity` best latents seen so far of each of `rows` rows.
 *
 * Each row is a binary heap with its worst latent (lowest value, then highest index) on top. Latents must be offered by
 * ascending index: then one that only equals the worst never replaces it, and equal values go to the lower index.
 */
export class RowHeaps {
  readonly #capacity: number;
  readonly #emptyFloor: number;
  readonly #sizes: Int32Array;
  readonly #indices: Int32Array;
  readonly #values: Float32Array;

  /** `capacity` is at least 1; `emptyFloor` is what {@link offer} returns for a row that has room. */
  constructor(rows: number, capacity: number, emptyFloor: number) {
    this.#capacity = capacity;
    this.#emptyFloor = emptyFloor;
    this.#sizes = new Int32Array(rows);
    this.#indices = new Int32Array(rows * capacity);
    this.#values = new Float32Array(rows * capacity);
  }

  size(row: number): number {
    return this.#sizes[row];
  }

  /** Keep the latent if there is room or it is better than the worst; returns what a later value of this row must exceed. */
  offer(row: number, index: number, value: number): number {
    const top = row * this.#capacity;
    const size = this.#sizes[row];
    if (size < this.#capacity) {
      this.#sizes[row] = size + 1;
      this.#rise(top, size, index, value);
      return size + 1 < this.#capacity ? this.#emptyFloor : this.#values[top];
    }
    if (value > this.#values[top]) this.#sink(top, size, index, value);
    return this.#values[top];
  }

  /** Empty a row into the two columns from position `start`, best first. */
  drain(row: number, indices: Int32Array, values: Float32Array, start: number): void {
    const top = row * this.#capacity;
    for (let size = this.#sizes[row]; size > 0; size--) {
      indices[start + size - 1] = this.#indices[top];
      values[start + size - 1] = this.#values[top];
      const last = top + size - 1;
      this.#sink(top, size - 1, this.#indices[last], this.#values[last]);
    }
    this.#sizes[row] = 0;
  }

  /** Put an element where it belongs on the way from the free `place` to the top. */
  #rise(top: number, place: number, index: number, value: number): void {
    let free = place;
    while (free > 0) {
      const parent = (free - 1) >> 1;
      if (!this.#worse(value, index, top + parent)) break;
      this.#move(top + parent, top + free);
      free = parent;
    }
    this.#indices[top + free] = index;
    this.#values[top + free] = value;
  }

  /** Put an element where it belongs on the way from the free top down. */
  #sink(top: number, size: number, index: number, value: number): void {
    let free = 0;
    for (let child = 1; child < size; child = 2 * free + 1) {
      const right = top + child + 1;
      if (child + 1 < size && this.#worse(this.#values[right], this.#indices[right], right - 1)) child++;
      if (this.#worse(value, index, top + child)) break;
      this.#move(top + child, top + free);
      free = child;
    }
    this.#indices[top + free] = index;
    this.#values[top + free] = value;
  }

  #worse(value: number, index: number, than: number): boolean {
    return value < this.#values[than] || (value === this.#values[than] && index > this.#indices[than]);
  }

  #move(from: number, to: number): void {
    this.#indices[to] = this.#indices[from];
    this.#values[to] = this.#values[from];
  }
}
