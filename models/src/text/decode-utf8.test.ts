import { FormatError } from "@saestitch/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeUtf8 } from "./decode-utf8.ts";

async function* pieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (let i = 0; start < bytes.length; i++) {
    const end = start + (sizes[i % sizes.length] ?? 1);
    yield bytes.subarray(start, end);
    start = end;
  }
}

async function decode(bytes: Uint8Array, sizes: readonly number[] = [7]): Promise<string> {
  let text = "";
  for await (const piece of decodeUtf8(pieces(bytes, sizes), "notes.txt")) text += piece;
  return text;
}

const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });

test("decodeUtf8() gives the text, wherever its bytes are cut", async () => {
  const text = fc.string({ unit: "binary", maxLength: 30 }).filter((drawn) => !drawn.startsWith("\ufeff"));
  await fc.assert(
    fc.asyncProperty(text, sizes, async (text, sizes) => {
      expect(await decode(new TextEncoder().encode(text), sizes)).toBe(text);
    }),
    { numRuns: 200 },
  );
});

test("decodeUtf8() drops a byte order mark at the beginning only", async () => {
  const bytes = new TextEncoder().encode("\ufeffa\ufeffb");
  for (const size of [1, 2, 100]) expect(await decode(bytes, [size])).toBe("a\ufeffb");
});

test.each([
  [[0x61, 0xff, 0x62], "its byte 1, 0xff, cannot be where it is"],
  [[0x61, 0x62, 0x80], "its byte 2, 0x80"],
  [[0xe2, 0x28, 0xa1], "its byte 1, 0x28"],
  [[0xc3, 0xa9, 0xc0, 0x80], "its byte 2, 0xc0"],
  [[0xed, 0xa0, 0x80], "its byte 1, 0xa0"],
  [[0x61, 0xf5], "its byte 1, 0xf5"],
  [[0x61, 0xe2, 0x82], "it ends in the middle of the character that begins at byte 1"],
  [[0xff, 0xfe, 0x61, 0x00], "its byte 0, 0xff"],
])("decodeUtf8() names the offset in %j, wherever the bytes are cut", async (bytes, reason) => {
  for (const size of [1, 2, 3, 100]) {
    const decoding = decode(Uint8Array.from(bytes), [size]);
    await expect(decoding).rejects.toThrow(FormatError);
    await expect(decoding).rejects.toThrow(`notes.txt is not UTF-8 text: ${reason}`);
  }
});

test("decodeUtf8() names the offset far into a text", async () => {
  const bytes = new TextEncoder().encode("é".repeat(5000));
  bytes[7001] = 0x41;
  await expect(decode(bytes, [999])).rejects.toThrow("its byte 7001, 0x41");
});
