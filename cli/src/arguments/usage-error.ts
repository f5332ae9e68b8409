/** The command line itself is wrong: an unknown command or option, a value that does not parse, something missing. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
