/** CONTRACT. Documents of text, in an order that is always the same, in bounded memory. */
export interface TextSource {
  /** A path, or hf:datasets/owner/name@commit, for people and error messages. */
  readonly location: string;
  /** Local files that are read, for hashing; empty for what comes from elsewhere, whose location pins its commit. */
  readonly files: readonly string[];
  /** The documents from the first on; none of them is empty. Rejects with FormatError for text that is not UTF-8 and for malformed files. */
  documents(): AsyncIterable<string>;
  close(): Promise<void>;
}
