import { UsageError } from "./usage-error.ts";

/** One option of a command: how it is written, what it means, and how its text becomes a value. */
export interface Option<Value> {
  /** What stands for the value in the help text, such as "DIR"; null for a flag, which takes none. */
  readonly placeholder: string | null;
  readonly help: string;
  /** What the option is when it is not given. */
  readonly fallback: Value;
  /** Whether the command refuses to run without it. */
  readonly isRequired?: boolean;
  /** Turn the text into a value. Throws {@link UsageError} with a message that says what was wanted. */
  readonly parse: (text: string) => Value;
  /** The value of an option given several times, from what it was and its next value; without this the last value counts. */
  join?(before: Value, next: Value): Value;
}

/** The options of a command by their names, without dashes, in the order of the help text. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** The value of each option of a table. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer Value> ? Value : never;
};

/** An option that is there or not. */
export function flag(help: string): Option<boolean> {
  return { placeholder: null, help, fallback: false, parse: () => true };
}

/** An option whose value is taken as it stands. */
export function text(placeholder: string, help: string): Option<string | undefined> {
  return { placeholder, help, fallback: undefined, parse: (value) => value };
}

/** The same option, without which the command refuses to run. */
export function required<Value>(option: Option<Value | undefined>): Option<Value> {
  return {
    ...(option as Option<Value>),
    isRequired: true,
    // Never seen: parsing refuses a command line without the option.
    fallback: undefined as Value,
  };
}

/** The same option, whose values are taken together when it is given several times. */
export function repeatable<Item>(
  option: Option<readonly Item[] | undefined>,
): Option<readonly Item[] | undefined> {
  return { ...option, join: (before = [], next = []) => [...new Set([...before, ...next])] };
}

/** An option whose value is one of a few words. */
export function choice<const Word extends string>(
  words: readonly Word[],
  fallback: Word,
  help: string,
): Option<Word> {
  const isShort = words.length <= 3;
  return {
    placeholder: isShort ? words.join("|") : "NAME",
    help: isShort ? `${help} (default ${fallback})` : `${help}: ${listed(words)} (default ${fallback})`,
    fallback,
    parse: (value) => {
      const word = words.find((candidate) => candidate === value);
      if (word === undefined) throw new UsageError(`must be ${listed(words)}, not "${value}"`);
      return word;
    },
  };
}

/** An option whose value is a whole number of at least `least`. */
export function wholeNumber<Fallback extends number | undefined>(
  placeholder: string,
  least: number,
  fallback: Fallback,
  help: string,
): Option<number | Fallback> {
  return {
    placeholder,
    help: fallback === undefined ? help : `${help} (default ${fallback})`,
    fallback,
    parse: (value) => {
      const number = readWholeNumber(value, least);
      if (number === undefined)
        throw new UsageError(`must be a whole number of at least ${least}, not "${value}"`);
      return number;
    },
  };
}

/** An option whose value is several whole numbers of at least `least`, no two alike, separated by commas. */
export function wholeNumbers(
  placeholder: string,
  least: number,
  help: string,
): Option<readonly number[] | undefined> {
  return list(
    placeholder,
    `whole numbers of at least ${least}`,
    (item) => readWholeNumber(item, least),
    help,
  );
}

/** An option whose value is several numbers, no two alike, separated by commas; `read` gives undefined for what is not one of those `wanted`. */
export function list(
  placeholder: string,
  wanted: string,
  read: (item: string) => number | undefined,
  help: string,
): Option<readonly number[] | undefined> {
  return {
    placeholder,
    help,
    fallback: undefined,
    parse: (value) =>
      value.split(",").map((item, i, items) => {
        const number = read(item);
        if (number === undefined)
          throw new UsageError(`must be ${wanted}, separated by commas, not "${value}"`);
        if (items.slice(0, i).some((earlier) => read(earlier) === number))
          throw new UsageError(`must not name ${number} twice: "${value}"`);
        return number;
      }),
  };
}

function readWholeNumber(text: string, least: number): number | undefined {
  const number = Number(text.replaceAll("_", ""));
  const isOne = text.trim() !== "" && Number.isSafeInteger(number) && number >= least;
  return isOne ? number : undefined;
}

/** An option whose value is a number that `accepts` takes; `wanted` says in words which those are. */
export function decimal(
  placeholder: string,
  fallback: number,
  { wanted, accepts }: { readonly wanted: string; readonly accepts: (number: number) => boolean },
  help: string,
): Option<number> {
  return {
    placeholder,
    help: `${help} (default ${fallback})`,
    fallback,
    parse: (value) => parseDecimal(value, { wanted, accepts }),
  };
}

/** As {@link decimal}, of an option that may be left out. */
export function optionalDecimal(
  placeholder: string,
  { wanted, accepts }: { readonly wanted: string; readonly accepts: (number: number) => boolean },
  help: string,
): Option<number | undefined> {
  return {
    placeholder,
    help,
    fallback: undefined,
    parse: (value) => parseDecimal(value, { wanted, accepts }),
  };
}

function parseDecimal(
  value: string,
  { wanted, accepts }: { readonly wanted: string; readonly accepts: (number: number) => boolean },
): number {
  const number = Number(value);
  if (value.trim() === "" || !accepts(number)) throw new UsageError(`must be ${wanted}, not "${value}"`);
  return number;
}

function listed(words: readonly string[]): string {
  return words.length === 1 ? words[0] : `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;
}
