import { availableParallelism } from "node:os";
import { defineCommand } from "../arguments/command.ts";
import { flag, wholeNumber } from "../arguments/option.ts";
import { doctorDocument } from "../doctor/doctor-document.ts";
import { doctorReport } from "../doctor/doctor-report.ts";
import { examineEngines } from "../doctor/examine-engines.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { progressMode } from "../terminal/progress.ts";
import { styleFor } from "../terminal/style.ts";

export const doctor = defineCommand({
  description:
    "Shows which kernels do the heavy work on this machine, why these, and how fast every kind runs that can run here: native code by set of instructions, WebAssembly, a GPU. " +
    "All are timed on the same problem, and their codes compared bit for bit.\n" +
    "The environment variable SAESTITCH_KERNELS (native, wasm or webgpu) chooses for all commands.",
  operands: [],
  options: {
    threads: wholeNumber("N", 1, undefined, "Worker threads (default one per processor)"),
    json: flag("Print one JSON document instead of tables (docs/doctor-output.md)"),
    quiet: flag("Do not say what is being timed"),
  },
  examples: [
    { does: "Which kernels run here, and how fast?", command: "doctor" },
    { does: "The same on one thread, as JSON", command: "doctor --threads 1 --json" },
  ],

  async run(_, { threads = availableParallelism(), json, quiet }, { stdout, stderr }) {
    const says = progressMode(stderr, { quiet, json }) !== "none";
    const engines = await examineEngines(threads, (name) => {
      if (says) stderr.write(`timing ${name}\n`);
    });
    const document = doctorDocument(threads, engines);
    await writeAll(
      stdout,
      json
        ? `${JSON.stringify(document)}\n`
        : doctorReport(document, { width: layoutWidth(stdout), style: styleFor(stdout) }),
    );
  },
});
