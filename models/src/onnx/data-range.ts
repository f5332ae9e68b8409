/** A range of bytes of a file, by its path from the model's folder. */
export interface DataRange {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}
