import { describeNames, describeValue, FormatError, nearestNames } from "@saestitch/core";

/**
 * The text of a JSON value: the value itself where it is a string, or its entry `column` where it is an object; undefined where that is
 * null. Throws {@link FormatError} for anything else, saying what stands at `where`.
 */
export function textOfValue(value: unknown, column: string, where: string): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FormatError(
      `${where} holds ${describeValue(value)}, expected a string, or an object with a string as its ${JSON.stringify(column)}`,
    );
  }
  if (!Object.hasOwn(value, column)) throw noSuchColumn(where, column, Object.keys(value));
  const text = (value as Record<string, unknown>)[column];
  if (text === null) return undefined;
  if (typeof text === "string") return text;
  throw new FormatError(
    `${where} has ${describeValue(text)} as its ${JSON.stringify(column)}, expected a string`,
  );
}

/** The error that a column is not there, with the names of those that are, the nearest first. */
export function noSuchColumn(where: string, column: string, names: readonly string[]): FormatError {
  const sorted = new Set([...nearestNames(column, names, names.length), ...names]);
  return new FormatError(
    `${where} has no column ${JSON.stringify(column)}; its columns are: ${describeNames(sorted)}`,
  );
}
