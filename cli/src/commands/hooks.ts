import { defineCommand } from "../arguments/command.ts";
import { flag } from "../arguments/option.ts";
import { hooksDocument } from "../hooks/hooks-document.ts";
import { hooksReport } from "../hooks/hooks-report.ts";
import { captureOptions } from "../inputs/model-options.ts";
import { openModelInput } from "../inputs/open-text-model.ts";
import { layoutWidth, writeAll } from "../terminal/output-stream.ts";
import { progressMode, startProgress } from "../terminal/progress.ts";
import { styleFor } from "../terminal/style.ts";

export const hooks = defineCommand({
  description:
    "Lists where a model's activations can be read: the places of its blocks by TransformerLens' names, found by the structure of the graph, and their names in the graph, " +
    "with their shapes. Of a graph whose structure is not known it lists every value that has a vector for each token.\n" +
    "A model is an ONNX file, a folder with one, or hf:owner/repo[/path][@revision].",
  operands: [{ name: "model", help: "the model to look at" }],
  options: {
    all: flag("Show every block by itself, and every other value of the graph with a vector for each token"),
    device: captureOptions.device,
    json: flag("Print one JSON document instead of tables (docs/hooks-output.md)"),
    quiet: flag("Show no progress"),
  },
  examples: [
    { does: "Where can activations of this model be read?", command: "hooks gpt2-onnx" },
    {
      does: "Every value of a model on the hub, as JSON",
      command: "hooks hf:owner/repo/onnx/model.onnx --all --json",
    },
  ],

  async run([address], options, { stdout, stderr }) {
    const { all, device, json } = options;
    const { model } = await openModelInput(
      address,
      { device },
      {
        stderr,
        startProgress: (work) => startProgress(stderr, work, { mode: progressMode(stderr, options) }),
      },
    );
    try {
      const known = await model.listHooks({ all });
      const listed = known.length === 0 && !all ? await model.listHooks({ all: true }) : known;
      const document = hooksDocument(model, listed);
      await writeAll(
        stdout,
        json
          ? `${JSON.stringify(document)}\n`
          : hooksReport(document, {
              address,
              each: all,
              width: layoutWidth(stdout),
              style: styleFor(stdout),
            }),
      );
    } finally {
      await model.close();
    }
  },
});
