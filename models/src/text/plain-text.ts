import { FormatError } from "@saestitch/core";
import { decodeUtf8 } from "./decode-utf8.ts";

/**
 * Where a plain text is cut into documents: at every line break, at blank lines, nowhere, or wherever any other text stands, such as
 * "<|endoftext|>".
 */
export type Split = "line" | "paragraph" | "document" | (string & {});

/** Most characters of one document. */
const longestDocument = 64 * 2 ** 20;

/**
 * The documents of a plain text in UTF-8, blank ones left out. Line breaks beside a separator belong to it; the whole file as one document
 * is left as it is.
 *
 * Rejects with {@link FormatError} for bytes of `name` that are not UTF-8, and for a document of more than `longest` characters.
 */
export async function* plainDocuments(
  bytes: AsyncIterable<Uint8Array>,
  name: string,
  {
    split = "paragraph",
    longest = longestDocument,
  }: { readonly split?: Split; readonly longest?: number } = {},
): AsyncGenerator<string> {
  const text = decodeUtf8(bytes, name);
  for await (const document of cut(text, split, { name, longest })) {
    if (document.trim() !== "") yield document;
  }
}

/** The lines of a text without what breaks them; the same limit as for documents holds. */
export async function* lines(
  text: AsyncIterable<string>,
  name: string,
  { longest = longestDocument } = {},
): AsyncGenerator<string> {
  for await (const line of cutAt(text, "\n", { name, longest, wanted: `break lines before that` })) {
    yield line.endsWith("\r") ? line.slice(0, -1) : line;
  }
}

interface Limit {
  readonly name: string;
  readonly longest: number;
}

async function* cut(text: AsyncIterable<string>, split: Split, limit: Limit): AsyncGenerator<string> {
  const wanted = `choose another place to split at than ${JSON.stringify(split)}`;
  switch (split) {
    case "line":
      return yield* lines(text, limit.name, limit);
    case "paragraph":
      return yield* paragraphs(text, limit, wanted);
    case "document":
      return yield* cutAt(text, undefined, { ...limit, wanted });
    default:
      for await (const document of cutAt(text, split, { ...limit, wanted })) {
        yield document.replace(/^[\r\n]+/, "").replace(/[\r\n]+$/, "");
      }
  }
}

async function* paragraphs(
  text: AsyncIterable<string>,
  limit: Limit,
  wanted: string,
): AsyncGenerator<string> {
  let paragraph: string[] = [];
  // A line break fewer than there are lines.
  let length = -1;
  for await (const line of lines(text, limit.name, limit)) {
    if (line.trim() === "") {
      if (paragraph.length > 0) yield paragraph.join("\n");
      paragraph = [];
      length = -1;
    } else {
      paragraph.push(line);
      length += line.length + 1;
      checkLength(length, { ...limit, wanted });
    }
  }
  if (paragraph.length > 0) yield paragraph.join("\n");
}

/** What stands between the separators; all of it where there is no separator. */
async function* cutAt(
  text: AsyncIterable<string>,
  separator: string | undefined,
  limit: Limit & { readonly wanted: string },
): AsyncGenerator<string> {
  if (separator === "") throw new FormatError(`Cannot split ${limit.name} at the empty text`);
  // Searched through already; a separator may begin in the last of it, which is searched again with what follows.
  let pieces: string[] = [];
  let length = 0;
  let last = "";
  for await (const piece of text) {
    const fresh = last + piece;
    let from = 0;
    if (separator !== undefined) {
      for (let at = fresh.indexOf(separator); at >= 0; at = fresh.indexOf(separator, from)) {
        checkLength(length + at - from, limit);
        yield pieces.join("") + fresh.slice(from, at);
        pieces = [];
        length = 0;
        from = at + separator.length;
      }
    }
    const searched = Math.max(from, fresh.length - (separator?.length ?? 1) + 1);
    pieces.push(fresh.slice(from, searched));
    length += searched - from;
    last = fresh.slice(searched);
    checkLength(length, limit);
  }
  yield pieces.join("") + last;
}

function checkLength(length: number, { name, longest, wanted }: Limit & { readonly wanted: string }): void {
  if (length > longest) {
    throw new FormatError(`${name} has a document of more than ${longest} characters; ${wanted}`);
  }
}
