import { FormatError } from "../errors.ts";

/**
 * Parse the bytes of a JSON file that must hold an object. Throws {@link FormatError} naming the file when it is larger
 * than `maxBytes`, not UTF-8, not JSON, or not an object. Of keys that occur twice the last one counts.
 */
export function parseJsonObject(
  bytes: Uint8Array,
  name: string,
  { maxBytes = 16 * 2 ** 20 } = {},
): Record<string, unknown> {
  if (bytes.length > maxBytes) {
    throw new FormatError(`${name} has ${bytes.length} bytes, expected a JSON object of at most ${maxBytes}`);
  }
  const value = parse(decode(bytes, name), name);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FormatError(`${name} holds ${describe(value)}, expected a JSON object`);
  }
  return value as Record<string, unknown>;
}

/** A value out of a file as a few words for a message. */
export function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length <= 60 ? value : `${value.slice(0, 60)}…`);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}

/** The first names of a collection for a message, and how many more there are. */
export function describeNames(names: Iterable<string>): string {
  const all = [...names];
  const shown = all.slice(0, 20).join(", ");
  return all.length > 20 ? `${shown} and ${all.length - 20} more` : shown || "none";
}

function decode(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`${name} is not JSON: its bytes are not UTF-8 text`, { cause });
  }
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const hint = /NaN|Infinity/.test(text) ? " (JSON has no NaN and no Infinity, which Python writes)" : "";
    throw new FormatError(`${name} is not JSON: ${(cause as Error).message}${hint}`, { cause });
  }
}
