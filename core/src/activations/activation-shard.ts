/** Rows `start` to `end` of one shard, in plain memory. */
export interface ShardRows {
  /** [(end − start) · d], row-major. */
  readonly values: Float32Array;
  /** [end − start], as far as the shard has them. */
  readonly documentIds?: Int32Array;
  readonly tokenIds?: Int32Array;
  /** 1 for rows that must not count. */
  readonly excluded?: Uint8Array;
}

/** One file of activations, of which any rows can be read without the rest. */
export interface ActivationShard {
  /** The file, for error messages. */
  readonly name: string;
  /** Width of an activation. */
  readonly d: number;
  readonly rows: number;
  /**
   * Number of sequences when documents are the sequences of the file, which are then numbered through all shards:
   * the ids that {@link read} gives count from 0 and are moved up by the sequences of the shards before.
   */
  readonly sequences?: number;
  readonly hasDocumentIds: boolean;
  readonly hasTokenIds: boolean;
  /** Rejects with a FormatError when the bytes are not what the file promised. */
  read(start: number, end: number): Promise<ShardRows>;
}
