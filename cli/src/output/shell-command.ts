/** A command of this program as one types it into a shell. */
export function shellCommand(words: readonly string[]): string {
  const quoted = words.map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`,
  );
  return ["saestitch", ...quoted].join(" ");
}
