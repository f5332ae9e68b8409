/** How a file holds its documents. */
export interface TextKind {
  /** Its ending, without that of its compression. */
  readonly ending: (typeof textEndings)[number];
  readonly gzip: boolean;
}

const textEndings = [".txt", ".jsonl", ".ndjson", ".json", ".parquet"] as const;

/** For people: the endings of files that can be read. */
export const wantedText = `expected text (.txt), JSON (.jsonl, .ndjson, .json), either of them also as .gz, or .parquet`;

/** The kind of a file by its name; undefined where it has another ending. */
export function textKind(name: string): TextKind | undefined {
  const lower = name.toLowerCase();
  const gzip = lower.endsWith(".gz");
  const plain = gzip ? lower.slice(0, -".gz".length) : lower;
  const ending = textEndings.find((known) => plain.endsWith(known));
  // Parquet compresses its pages.
  return ending === undefined || (gzip && ending === ".parquet") ? undefined : { ending, gzip };
}
