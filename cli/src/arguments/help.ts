import { wrap } from "../terminal/wrap.ts";
import type { Command } from "./command.ts";

/** The help text of one command, in lines of at most `width`. */
export function commandHelp(name: string, summary: string, command: Command, width: number): string {
  const operands = command.operands.flatMap(({ name, repeats }) =>
    repeats ? [`<${name}>`, `[<${name}> …]`] : `<${name}>`,
  );
  const required = Object.entries(command.options)
    .filter(([, { isRequired }]) => isRequired)
    .map(([option, { placeholder }]) => `--${option} ${placeholder}`);
  const options = Object.entries(command.options).map(
    ([option, { placeholder, help }]): Entry => [
      placeholder === null ? `--${option}` : `--${option} ${placeholder}`,
      help,
    ],
  );
  return [
    wrap(`${summary}.`, width),
    wrap(command.description, width),
    wrap(`Usage: saestitch ${[name, ...operands, ...required, "[options]"].join(" ")}`, width),
    section(
      "Arguments",
      command.operands.map((operand): Entry => [`<${operand.name}>`, operand.help]),
      width,
    ),
    section("Options", [...options, ["--help", "Show this text"]], width),
    `Examples:\n${command.examples.map(({ command, does }) => `${wrap(does, width - 4).replace(/^/gm, "  # ")}\n  ${brokenCommand(`saestitch ${command}`, width - 2)}`).join("\n\n")}`,
  ]
    .filter(Boolean)
    .join("\n\n")
    .concat("\n");
}

/** The help text of the program, one line per command. */
export function programHelp(summaries: Readonly<Record<string, string>>, width: number): string {
  return [
    "Compare sparse autoencoders of different sizes, latent by latent.",
    "Usage: saestitch <command> [arguments] [options]",
    section("Commands", Object.entries(summaries), width),
    section(
      "Options",
      [
        ["--help", "Show this text, or after a command that command's options and examples"],
        ["--version", "Show the version"],
      ],
      width,
    ),
    "Start with: saestitch demo",
  ]
    .join("\n\n")
    .concat("\n");
}

/** A command that a shell reads as one although it stands on several lines. */
function brokenCommand(command: string, width: number): string {
  return wrap(command, width - 4).replaceAll("\n", " \\\n    ");
}

type Entry = readonly [term: string, help: string];

function section(title: string, entries: readonly Entry[], width: number): string {
  if (entries.length === 0) return "";
  const longest = Math.max(...entries.map(([term]) => term.length).filter((length) => length <= 24));
  const indent = " ".repeat(longest + 4);
  const lines = entries.map(([term, help]) => {
    const body = wrap(help, width - indent.length).replaceAll("\n", `\n${indent}`);
    return term.length > longest ? `  ${term}\n${indent}${body}` : `  ${term.padEnd(longest + 2)}${body}`;
  });
  return `${title}:\n${lines.join("\n")}`;
}
