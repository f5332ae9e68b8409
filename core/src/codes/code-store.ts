import type { SparseCode } from "../tensor/sparse-code.ts";

/** Consecutive rows of a sample. */
export interface Stretch {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/**
 * CONTRACT. Where the codes of one SAE over one sample are kept, stretch by stretch. A code holds the contributions of the
 * rows of its stretch that count, which may be fewer rows than the stretch has.
 *
 * What `read` gives for a stretch is what `write` returned for it, bit for bit. A stretch is there whole or not at all.
 */
export interface CodeStore {
  /** Where the codes lie, for people: "memory", or a folder. */
  readonly location: string;
  /** Bytes that the codes take there so far. */
  readonly bytes: number;
  /** Undefined when the stretch has not been written. Throws FormatError for what is there but broken. */
  read(stretch: Stretch): Promise<SparseCode | undefined>;
  /** Keep a code, and return it as it will be read: rounded, where strengths are kept in fewer bits. */
  write(stretch: Stretch, code: SparseCode): Promise<SparseCode>;
}
