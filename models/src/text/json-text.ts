import { describeValue, FormatError } from "@saestitch/core";
import { decodeUtf8 } from "./decode-utf8.ts";
import { lines } from "./plain-text.ts";
import { textOfValue } from "./text-value.ts";

/** Which entry of an object is its text. */
export interface JsonTextOptions {
  /** Default: "text". */
  readonly column?: string;
}

/** Most characters of a file that is one JSON array. */
const longestArray = 256 * 2 ** 20;

/**
 * The documents of JSON lines in UTF-8: of each line the string it is, or the string that its object has as `column`. Blank lines, nulls and
 * blank texts are left out. Rejects with {@link FormatError}, naming the line of `name` and what was found, for any other line.
 */
export async function* jsonLineDocuments(
  bytes: AsyncIterable<Uint8Array>,
  name: string,
  options: JsonTextOptions = {},
): AsyncGenerator<string> {
  yield* linesOf(decodeUtf8(bytes, name), name, options);
}

/**
 * The documents of a .json file in UTF-8: one array of strings or of objects with a string as their `column`, or JSON lines. Nulls and blank
 * texts are left out. Rejects with {@link FormatError}, naming the entry of `name` and what was found, for anything else.
 */
export async function* jsonDocuments(
  bytes: AsyncIterable<Uint8Array>,
  name: string,
  options: JsonTextOptions = {},
): AsyncGenerator<string> {
  const text = decodeUtf8(bytes, name);
  let begin = "";
  for (let next = await text.next(); !next.done; next = await text.next()) {
    begin = (begin + next.value).trimStart();
    if (begin !== "") break;
  }
  if (begin.startsWith("[")) yield* entriesOf(chained(begin, text), name, options);
  else yield* linesOf(chained(begin, text), name, options);
}

async function* linesOf(
  text: AsyncIterable<string>,
  name: string,
  { column = "text" }: JsonTextOptions,
): AsyncGenerator<string> {
  let number = 0;
  for await (const line of lines(text, name)) {
    number += 1;
    if (line.trim() === "") continue;
    const where = `${name}, line ${number},`;
    const document = textOfValue(parse(line, where), column, where);
    if (isText(document)) yield document;
  }
}

async function* entriesOf(
  text: AsyncIterable<string>,
  name: string,
  { column = "text" }: JsonTextOptions,
): AsyncGenerator<string> {
  const pieces: string[] = [];
  let length = 0;
  for await (const piece of text) {
    pieces.push(piece);
    length += piece.length;
    if (length > longestArray) {
      throw new FormatError(
        `${name} is one JSON array of more than ${longestArray} characters; write it as JSON lines (.jsonl)`,
      );
    }
  }
  const entries = parse(pieces.join(""), name) as readonly unknown[];
  for (const [i, entry] of entries.entries()) {
    const document = textOfValue(entry, column, `${name}, entry ${i},`);
    if (isText(document)) yield document;
  }
}

async function* chained(first: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  yield first;
  yield* rest;
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(
      `${where} is not JSON (${(cause as Error).message}), it holds ${describeValue(text)}`,
      {
        cause,
      },
    );
  }
}

function isText(document: string | undefined): document is string {
  return document !== undefined && document.trim() !== "";
}
