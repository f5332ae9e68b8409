import type { Context } from "../context.ts";
import type { OptionTable, OptionValues } from "./option.ts";

/** A word of the command line that is not an option. */
export interface Operand {
  readonly name: string;
  readonly help: string;
  /** Whether more of it may follow; only the last operand of a command may repeat. */
  readonly repeats?: boolean;
}

/** One command: what it takes, what the help text says of it, and what it does. */
export interface Command<Table extends OptionTable = OptionTable> {
  /** A few sentences under the summary. */
  readonly description: string;
  /** All are required, in this order. */
  readonly operands: readonly Operand[];
  readonly options: Table;
  readonly examples: readonly { readonly command: string; readonly does: string }[];
  run(operands: readonly string[], options: OptionValues<Table>, context: Context): Promise<void>;
}

/** A command, its option values typed by its table. */
export function defineCommand<const Table extends OptionTable>(command: Command<Table>): Command<Table> {
  return command;
}
