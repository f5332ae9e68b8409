import { type ByteSource, DataError, FormatError, UnsupportedError } from "@saestitch/core";
import { fileBytes, gunzip } from "./file-bytes.ts";
import { jsonDocuments, jsonLineDocuments } from "./json-text.ts";
import { parquetDocuments } from "./parquet-text.ts";
import { plainDocuments, type Split } from "./plain-text.ts";
import { type TextKind, textKind, wantedText } from "./text-kind.ts";
import type { TextSource } from "./text-source.ts";

/** Which part of a file is text, and what is one document of it. */
export interface TextOptions {
  /** Column of a table, or entry of JSON objects; default "text". */
  readonly column?: string | undefined;
  /** Where plain text is cut; default "paragraph". */
  readonly split?: Split | undefined;
}

/** A file that is opened when its turn comes. */
export interface TextFile {
  /** Its ending says its kind. */
  readonly name: string;
  open(): Promise<ByteSource & { close?(): Promise<void> }>;
}

/**
 * The documents of several files, one file after the other: text, JSON lines or arrays, Parquet.
 *
 * Throws {@link FormatError} for a file of another kind and {@link UnsupportedError} for an option that does not apply to any of them.
 * Reading rejects with FormatError for malformed files and with {@link DataError} when no file has a document.
 */
export function textOfFiles(
  files: readonly TextFile[],
  {
    location,
    paths = [],
    ...options
  }: TextOptions & { readonly location: string; readonly paths?: readonly string[] },
): TextSource {
  const kinds = files.map(({ name }) => kindOf(name, location));
  checkOptions(kinds, location, options);
  let closed = false;
  const requireOpen = () => {
    if (closed) throw new FormatError(`Cannot read ${location}: it has been closed`);
  };
  return {
    location,
    files: paths,
    async *documents() {
      let count = 0;
      for (const [i, { open }] of files.entries()) {
        requireOpen();
        const source = await open();
        try {
          for await (const document of documentsOf(source, kinds[i], options)) {
            requireOpen();
            count += 1;
            yield document;
          }
        } finally {
          await source.close?.();
        }
      }
      if (count === 0) throw new DataError(`There is no text in ${location}`);
    },
    async close() {
      closed = true;
    },
  };
}

function kindOf(name: string, location: string): TextKind {
  const kind = textKind(name);
  if (kind === undefined) {
    const of = name === location ? "" : ` of ${location}`;
    throw new FormatError(`Cannot read ${name}${of} as text: ${wantedText}`);
  }
  return kind;
}

function checkOptions(kinds: readonly TextKind[], location: string, { column, split }: TextOptions): void {
  const isPlain = ({ ending }: TextKind) => ending === ".txt";
  if (column !== undefined && kinds.every(isPlain)) {
    throw new UnsupportedError(
      `Cannot read the column ${JSON.stringify(column)} of ${location}: it is plain text`,
    );
  }
  if (split !== undefined && !kinds.some(isPlain)) {
    throw new UnsupportedError(
      `Cannot split ${location} at ${JSON.stringify(split)}: its documents are its rows; only plain text is split`,
    );
  }
}

function documentsOf(
  source: ByteSource,
  { ending, gzip }: TextKind,
  { column, split }: TextOptions,
): AsyncIterable<string> {
  const ofColumn = column === undefined ? {} : { column };
  const bytes = () => (gzip ? gunzip(fileBytes(source), source.name) : fileBytes(source));
  switch (ending) {
    case ".txt":
      return plainDocuments(bytes(), source.name, split === undefined ? {} : { split });
    case ".jsonl":
    case ".ndjson":
      return jsonLineDocuments(bytes(), source.name, ofColumn);
    case ".json":
      return jsonDocuments(bytes(), source.name, ofColumn);
    case ".parquet":
      return parquetDocuments(source, ofColumn);
    default:
      return ending satisfies never;
  }
}
