import { FormatError } from "@saestitch/core";

/**
 * Decode UTF-8 as it streams; a byte order mark at the beginning is dropped. Rejects with {@link FormatError}, naming the offset, at the
 * first byte of `name` that is not UTF-8.
 */
export async function* decodeUtf8(bytes: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<string> {
  let offset = 0;
  let incomplete: Uint8Array = new Uint8Array(0);
  for await (const piece of bytes) {
    const known = incomplete.length === 0 ? piece : joined(incomplete, piece);
    const end = completeLength(known);
    const text = decode(known.subarray(0, end), name, offset);
    if (text !== "") yield offset === 0 && text.startsWith("\ufeff") ? text.slice(1) : text;
    offset += end;
    incomplete = known.subarray(end);
  }
  if (incomplete.length > 0) {
    throw new FormatError(
      `${name} is not UTF-8 text: it ends in the middle of the character that begins at byte ${offset}`,
    );
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** How many bytes there are before a character that is not complete, if one ends them. */
function completeLength(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if (byte >= 0x80 && byte < 0xc0) continue;
    // No character begins with any other byte.
    const length = byte >= 0xf5 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

function decode(bytes: Uint8Array, name: string, offset: number): string {
  try {
    return strictDecoder().decode(bytes);
  } catch (cause) {
    const wrong = validLength(bytes);
    const value = bytes[wrong].toString(16).padStart(2, "0");
    throw new FormatError(
      `${name} is not UTF-8 text: its byte ${offset + wrong}, 0x${value}, cannot be where it is`,
      { cause },
    );
  }
}

/** Length of the longest beginning that text can have, found by halving. */
function validLength(bytes: Uint8Array): number {
  let valid = 0;
  let invalid = bytes.length;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >>> 1;
    try {
      strictDecoder().decode(bytes.subarray(0, middle), { stream: true });
      valid = middle;
    } catch {
      invalid = middle;
    }
  }
  return valid;
}

function strictDecoder() {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
}
