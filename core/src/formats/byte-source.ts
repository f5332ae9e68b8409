/** CONTRACT. Random access to the bytes of one file, local or remote. */
export interface ByteSource {
  /** What to call the file in an error message: its path or address. */
  readonly name: string;
  /** Size in bytes. */
  readonly byteLength: number;
  /**
   * Resolve to the bytes `start` to `end` (exclusive): exactly `end - start` of them, in memory the caller may keep and
   * change. Rejects with a FormatError when the range leaves the file or the file ends early.
   */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}
