import { FormatError } from "@saestitch/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { collect } from "../../../core/test-support/collect.ts";
import { plainDocuments, type Split } from "./plain-text.ts";

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function documents(
  text: string,
  split?: Split,
  { size = 1000, longest }: { size?: number; longest?: number } = {},
): Promise<string[]> {
  const options = { ...(split !== undefined && { split }), ...(longest !== undefined && { longest }) };
  return await collect(plainDocuments(inPieces(text, size), "notes.txt", options));
}

describe("plainDocuments()", () => {
  test("splits at blank lines", async () => {
    const text = "\n\nOne.\nStill one.\n\nTwo.\n \t\n\n\nThree.";
    const paragraphs = ["One.\nStill one.", "Two.", "Three."];
    expect(await documents(text)).toEqual(paragraphs);
    expect(await documents(text.replaceAll("\n", "\r\n"))).toEqual(paragraphs);
  });

  test("splits at line breaks, and leaves what else stands in a line", async () => {
    expect(await documents("a \r\n\n  b\n \nc", "line")).toEqual(["a ", "  b", "c"]);
  });

  test("takes the whole file as it is", async () => {
    expect(await documents("\n a\r\n\r\nb\n", "document")).toEqual(["\n a\r\n\r\nb\n"]);
  });

  test("splits at any other text, with the line breaks beside it", async () => {
    const text = "One.\n\nStill one.\n<|endoftext|>\n\n<|endoftext|>\nTwo.<|endoftext|>";
    expect(await documents(text, "<|endoftext|>")).toEqual(["One.\n\nStill one.", "Two."]);
    expect(await documents("aXYbXXYc", "XY")).toEqual(["a", "bX", "c"]);
  });

  test("gives no document of an empty or blank file", async () => {
    for (const split of ["line", "paragraph", "document", "|"]) {
      expect(await documents("", split)).toEqual([]);
      expect(await documents(" \n\r\n\t", split)).toEqual([]);
    }
  });

  test("gives the same documents wherever the bytes are cut", async () => {
    const unit = fc.constantFrom("a", "é", "\n", "\r\n", " ", "--", "-", "😀");
    const split = fc.constantFrom("line", "paragraph", "document", "--", "-é");
    await fc.assert(
      fc.asyncProperty(
        fc.array(unit, { maxLength: 30 }),
        split,
        fc.integer({ min: 1, max: 9 }),
        async (units, split, size) => {
          const text = units.join("");
          const whole = await documents(text, split);
          expect(await documents(text, split, { size })).toEqual(whole);
          const plain =
            split === "document"
              ? [text]
              : split === "line"
                ? text.split(/\r?\n/)
                : split === "paragraph"
                  ? `\n${text}\n`.replaceAll("\r\n", "\n").split(/\n(?:[ \t]*\n)+/)
                  : text.split(split);
          const trimmed = (document: string) => document.replace(/^[\r\n]+|[\r\n]+$/g, "");
          expect(whole.map(trimmed)).toEqual(plain.map(trimmed).filter((document) => document.trim() !== ""));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("refuses a document that is too long, and says what to choose", async () => {
    const text = `${"a".repeat(20)}\n\n${"b".repeat(21)}`;
    for (const size of [5, 1000]) {
      for (const [split, reason] of [
        ["document", 'choose another place to split at than "document"'],
        ["paragraph", "break lines before that"],
        ["|", 'choose another place to split at than "|"'],
      ]) {
        const reading = documents(text, split, { size, longest: 20 });
        await expect(reading).rejects.toThrow(FormatError);
        await expect(reading).rejects.toThrow(
          `notes.txt has a document of more than 20 characters; ${reason}`,
        );
      }
      expect(await documents(text, undefined, { size, longest: 21 })).toHaveLength(2);
    }
    const lines = Array.from({ length: 5 }, () => "a".repeat(10)).join("\n");
    await expect(documents(lines, "paragraph", { longest: 20 })).rejects.toThrow('than "paragraph"');
  });

  test("refuses the empty text as a separator", async () => {
    await expect(documents("a", "")).rejects.toThrow("Cannot split notes.txt at the empty text");
  });

  test("refuses bytes that are not UTF-8", async () => {
    const bytes = (async function* () {
      yield Uint8Array.of(0x61, 0x0a, 0xe9, 0x0a);
    })();
    const reading = collect(plainDocuments(bytes, "notes.txt", { split: "line" }));
    await expect(reading).rejects.toThrow("notes.txt is not UTF-8 text: its byte 3, 0x0a");
  });
});
