import { nearestName } from "@saestitch/core";
import type { Command } from "./arguments/command.ts";
import { commandHelp, programHelp } from "./arguments/help.ts";
import { parseArguments } from "./arguments/parse-arguments.ts";
import { UsageError } from "./arguments/usage-error.ts";
import type { Context } from "./context.ts";
import { InterruptedError, Interruption } from "./interruption.ts";
import { layoutWidth, writeAll } from "./terminal/output-stream.ts";
import { saestitchVersion } from "./version.ts";

/** Every command: its line in the help text, and the file that holds it, loaded when it is called. */
const commands: Readonly<Record<string, { readonly summary: string; load(): Promise<Command> }>> = {
  inspect: {
    summary: "Show what an SAE is and how well it reconstructs",
    load: async () => (await import("./commands/inspect.ts")).inspect,
  },
  label: {
    summary: "Label every latent of a larger SAE novel or a reconstruction of a smaller one",
    load: async () => (await import("./commands/label.ts")).label,
  },
  families: {
    summary: "Find the families of latents that two SAEs share, and what kind each latent is",
    load: async () => (await import("./commands/families.ts")).families,
  },
  trajectory: {
    summary: "Walk from a smaller SAE to a larger one, measured after every step",
    load: async () => (await import("./commands/trajectory.ts")).trajectory,
  },
  stitch: {
    summary: "Build the best SAE for a budget out of the latents of several, and compare it with its rivals",
    load: async () => (await import("./commands/stitch.ts")).stitch,
  },
  evaluate: {
    summary: "Compare how well, and how sparsely, several SAEs reconstruct one sample",
    load: async () => (await import("./commands/evaluate.ts")).evaluate,
  },
  train: {
    summary: "Train SAEs of several widths on activations, in one pass",
    load: async () => (await import("./commands/train.ts")).train,
  },
  meta: {
    summary: "Train a meta-SAE, which writes the latents of an SAE as sums of a few meta-latents",
    load: async () => (await import("./commands/meta.ts")).meta,
  },
  decompose: {
    summary: "Show which meta-latents a latent is made of",
    load: async () => (await import("./commands/decompose.ts")).decompose,
  },
  hooks: {
    summary: "List the places of a model where activations can be read",
    load: async () => (await import("./commands/hooks.ts")).hooks,
  },
  capture: {
    summary: "Run a text through a model and store the activations at one of its places",
    load: async () => (await import("./commands/capture.ts")).capture,
  },
  examples: {
    summary: "Show where latents of an SAE fire, with the text around",
    load: async () => (await import("./commands/examples.ts")).examples,
  },
  doctor: {
    summary: "Show which kernels run on this machine, and how fast",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  demo: {
    summary: "Label a small made-up world whose truth is known, and say how right the labels are",
    load: async () => (await import("./commands/demo.ts")).demo,
  },
};

async function run(words: readonly string[], context: Context): Promise<void> {
  const [name, ...rest] = words;
  const width = layoutWidth(context.stdout);
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    const summaries = Object.fromEntries(
      Object.entries(commands).map(([name, { summary }]) => [name, summary]),
    );
    await writeAll(context.stdout, programHelp(summaries, width));
    return;
  }
  if (name === "--version" || name === "-V") {
    await writeAll(context.stdout, `saestitch ${saestitchVersion}\n`);
    return;
  }
  if (!Object.hasOwn(commands, name)) {
    const nearest = nearestName(name, Object.keys(commands));
    throw new UsageError(
      `Unknown command "${name}"${nearest === undefined ? "" : `; did you mean ${nearest}?`}`,
    );
  }
  const command = await commands[name].load();
  const beforeDashes = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  if (beforeDashes.includes("--help") || beforeDashes.includes("-h")) {
    await writeAll(context.stdout, commandHelp(name, commands[name].summary, command, width));
    return;
  }
  const { operands, options } = parseArguments(rest, command.operands, command.options);
  await command.run(operands, options, context);
}

/** Run the command line, tell failures to standard error, and leave with the exit code that fits. */
async function main(words: readonly string[]): Promise<void> {
  const context = {
    stdout: process.stdout,
    stderr: process.stderr,
    interruption: new Interruption((exitCode) => {
      process.stderr.write("\nInterrupted.\n");
      process.exit(exitCode);
    }),
    commandLine: words,
  };
  // A reader that has gone away is met where text is written; as an event it would end the process with a stack trace.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const program =
    words[0] !== undefined && Object.hasOwn(commands, words[0]) ? `saestitch ${words[0]}` : "saestitch";
  try {
    await run(words, context);
  } catch (error) {
    const { describeFailure } = await import("./failure.ts");
    const debug = Boolean(process.env.SAESTITCH_DEBUG) && process.env.SAESTITCH_DEBUG !== "0";
    process.stderr.write(`${program}: ${describeFailure(error, { debug })}\n`);
    if (error instanceof UsageError) {
      process.stderr.write(`See ${program} --help\n`);
      process.exitCode = 2;
    } else {
      process.exitCode = error instanceof InterruptedError ? context.interruption.exitCode : 1;
    }
  }
}

await main(process.argv.slice(2));
