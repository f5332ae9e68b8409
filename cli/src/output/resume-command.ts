import { shellCommand } from "./shell-command.ts";

/** The command that goes on where `commandLine` was interrupted, as one types it into a shell. */
export function resumeCommand(commandLine: readonly string[]): string {
  return shellCommand(commandLine.includes("--resume") ? commandLine : [...commandLine, "--resume"]);
}
