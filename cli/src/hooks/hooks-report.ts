import type { ModelNormalization } from "@saestitch/models";
import { shellCommand } from "../output/shell-command.ts";
import { formatCount } from "../terminal/format-number.ts";
import { section } from "../terminal/section.ts";
import type { Style } from "../terminal/style.ts";
import { indented, textTable } from "../terminal/text-table.ts";
import { wrap } from "../terminal/wrap.ts";
import { foldBlocks } from "./fold-blocks.ts";
import type { HookDescription, HooksDocument } from "./hooks-document.ts";

const normalizationTexts: Readonly<Record<ModelNormalization, string>> = {
  layer: "LayerNorm, which takes the mean off the residual stream",
  rms: "RMSNorm, which does not take the mean off",
  unknown: "not found",
};

type NamedHook = HookDescription & { readonly name: string };

interface Shown {
  readonly width: number;
  readonly style: Style;
}

/**
 * The places of a model as text for a terminal of `width` columns, those of all blocks on one line unless `each` is wanted. `address` is what the model
 * was opened by.
 */
export function hooksReport(
  document: HooksDocument,
  { address, each, ...shown }: Shown & { readonly address: string; readonly each: boolean },
): string {
  const { style, width } = shown;
  const named = document.hooks.filter((hook): hook is NamedHook => hook.name !== null);
  const others = document.hooks.filter(({ name }) => name === null);
  const count = `${formatCount(named.length)}, by their names in TransformerLens`;
  return [
    section(document.location, "", facts(document), style),
    ...(named.length === 0 ? [] : [section("Places", count, placeLines(named, each, shown), style)]),
    ...(others.length === 0
      ? []
      : [
          section(
            named.length === 0 ? "Values" : "Other values",
            `${formatCount(others.length)} with a vector for each token, by their names in the graph`,
            otherLines(others),
            style,
          ),
        ]),
    ...document.notes.map(
      (note) => `${wrap(`note: ${note}`, width).replace(/^note:/, style.bold("note:"))}\n`,
    ),
    ...nextStep(document, { address, ...shown }),
  ].join("\n");
}

function facts({ engine, vocabulary, blocks, normalization }: HooksDocument): string {
  const plain = { heading: "", align: "left" } as const;
  return textTable(
    [plain, plain],
    [
      ["runs on", engine],
      ["blocks", blocks === 0 ? "not found: the structure of this graph is not known" : String(blocks)],
      ["normalisation", normalizationTexts[normalization]],
      ["vocabulary", vocabulary === null ? "not stated" : `${formatCount(vocabulary)} tokens`],
    ],
  );
}

/** A table with the name that each value has in the graph as its last column, or below each line where there is no room. */
function placeLines(hooks: readonly NamedHook[], each: boolean, { width, style }: Shown): string {
  const places = each ? hooks.map((hook) => ({ name: hook.name, first: hook })) : foldBlocks(hooks);
  const inGraph = each ? "in the graph" : "in the graph, first block";
  const columns = [
    { heading: "name", align: "left" },
    { heading: "d", align: "right" },
    { heading: "shape", align: "left" },
  ] as const;
  const cells = places.map(({ name, first }) => [name, String(first.d), first.shape.join("×")]);
  const wide = textTable(
    [...columns, { heading: inGraph, align: "left" }],
    cells.map((line, i) => [...line, places[i].first.tensor]),
  );
  if (wide.split("\n").every((line) => line.length <= width - 2)) return wide;
  const [heading, ...lines] = textTable(columns, cells).split("\n");
  return [
    `${heading}\n  ${style.dim(inGraph)}`,
    ...lines.map((line, i) => `${line}\n  ${style.dim(places[i].first.tensor)}`),
  ].join("\n");
}

function otherLines(hooks: readonly HookDescription[]): string {
  return textTable(
    [
      { heading: "d", align: "right" },
      { heading: "shape", align: "left" },
      { heading: "name", align: "left" },
    ],
    hooks.map(({ tensor, shape, d }) => [String(d), shape.join("×"), tensor]),
  );
}

/** The command that reads activations at one of the places: in the middle of the model, where there is one. */
function nextStep(
  { hooks, blocks }: HooksDocument,
  { address, width, style }: Shown & { readonly address: string },
): string[] {
  const middle = `blocks.${Math.floor(blocks / 2)}.hook_resid_pre`;
  const chosen = hooks.find(({ name }) => name === middle) ?? hooks[0];
  if (chosen === undefined) return [];
  const command = shellCommand([
    ...["capture", address, "--hook", chosen.name ?? chosen.tensor],
    ...["--text", "corpus.txt", "--out", "activations"],
  ]);
  const broken =
    command.length <= width - 2 ? command : command.replace(/ (?=--(?:hook|text|out) )/g, " \\\n  ");
  return [`${style.bold("Read activations at one of them")}\n${indented(broken)}\n`];
}
