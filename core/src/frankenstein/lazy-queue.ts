/** Ids in the order of a score that only ever falls: a binary heap, greatest score first, the lower id among equals. */
export class LazyQueue {
  readonly #scores: Float64Array;
  readonly #heap: Int32Array;
  #size: number;

  /** `scores` is indexed by id, and written by {@link lowerTop}. */
  constructor(ids: ArrayLike<number>, scores: Float64Array) {
    this.#scores = scores;
    this.#heap = Int32Array.from(ids);
    this.#size = this.#heap.length;
    for (let place = (this.#size >> 1) - 1; place >= 0; place--) this.#sink(place);
  }

  get size(): number {
    return this.#size;
  }

  /** The id in front; only while `size` is above 0. */
  get top(): number {
    return this.#heap[0];
  }

  /** Give the id in front a new score and its place by it. */
  lowerTop(score: number): void {
    this.#scores[this.#heap[0]] = score;
    this.#sink(0);
  }

  /** Take the id in front out. */
  pop(): void {
    this.#heap[0] = this.#heap[--this.#size];
    this.#sink(0);
  }

  #sink(from: number): void {
    const id = this.#heap[from];
    let place = from;
    for (let child = 2 * place + 1; child < this.#size; child = 2 * place + 1) {
      if (child + 1 < this.#size && this.#precedes(this.#heap[child + 1], this.#heap[child])) child++;
      if (!this.#precedes(this.#heap[child], id)) break;
      this.#heap[place] = this.#heap[child];
      place = child;
    }
    this.#heap[place] = id;
  }

  #precedes(a: number, b: number): boolean {
    return this.#scores[a] > this.#scores[b] || (this.#scores[a] === this.#scores[b] && a < b);
  }
}
