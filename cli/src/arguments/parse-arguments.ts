import { parseArgs } from "node:util";
import { nearestName } from "@saestitch/core";
import type { Operand } from "./command.ts";
import type { OptionTable, OptionValues } from "./option.ts";
import { UsageError } from "./usage-error.ts";

/** The words of a command line after the command's name, sorted into operands and option values. */
export interface ParsedArguments<Table extends OptionTable> {
  readonly operands: readonly string[];
  readonly options: OptionValues<Table>;
}

/**
 * Read a command line by a command's operands and options. An option given twice has its last value, unless it joins them; "--" ends the options.
 *
 * Throws {@link UsageError} for unknown options (naming the nearest), missing or unparsable values, and a wrong number of operands.
 */
export function parseArguments<Table extends OptionTable>(
  words: readonly string[],
  operands: readonly Operand[],
  table: Table,
): ParsedArguments<Table> {
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(
      Object.entries(table).map(([name, { placeholder }]) => [
        name,
        { type: placeholder === null ? ("boolean" as const) : ("string" as const) },
      ]),
    ),
    strict: false,
    tokens: true,
  });
  const given: string[] = [];
  const named = new Set<string>();
  const values: Record<string, unknown> = Object.fromEntries(
    Object.entries(table).map(([name, { fallback }]) => [name, fallback]),
  );
  for (const token of tokens) {
    if (token.kind === "positional") given.push(token.value);
    if (token.kind === "option") {
      const value = optionValue(token, table);
      const { join } = table[token.name];
      values[token.name] =
        join !== undefined && named.has(token.name) ? join(values[token.name], value) : value;
      named.add(token.name);
    }
  }
  const missing = operands[given.length];
  if (missing !== undefined) throw new UsageError(`<${missing.name}> is missing: ${missing.help}`);
  if (given.length > operands.length && !operands.at(-1)?.repeats) {
    throw new UsageError(
      `"${given[operands.length]}" is one argument too many; ${operands.length} are taken`,
    );
  }
  for (const [name, { isRequired, placeholder, help }] of Object.entries(table)) {
    if (isRequired && !named.has(name)) throw new UsageError(`--${name} ${placeholder} is missing: ${help}`);
  }
  return { operands: given, options: values as OptionValues<Table> };
}

function optionValue({ name, rawName, value, inlineValue }: OptionToken, table: OptionTable): unknown {
  if (!Object.hasOwn(table, name)) {
    const nearest = nearestName(name, Object.keys(table));
    throw new UsageError(
      `Unknown option ${rawName}${nearest === undefined ? "" : `; did you mean --${nearest}?`}`,
    );
  }
  const option = table[name];
  if (option.placeholder === null) {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value, but "${value}" is given`);
    return option.parse("");
  }
  // Without "=" the next word is the value, unless it is plainly the next option.
  const isOption = !inlineValue && value !== undefined && /^-(?![\d.]|$)/.test(value);
  if (value === undefined || isOption)
    throw new UsageError(`${rawName} needs a value: ${rawName} ${option.placeholder}`);
  try {
    return option.parse(value);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${rawName} ${error.message}`);
    throw error;
  }
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}
