/** The command that goes on where `commandLine` was interrupted, as one types it into a shell. */
export function resumeCommand(commandLine: readonly string[]): string {
  const words = commandLine.includes("--resume") ? commandLine : [...commandLine, "--resume"];
  const quoted = words.map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`,
  );
  return ["saestitch", ...quoted].join(" ");
}
