import { nearestNames, UnsupportedError } from "@saestitch/core";
import { findProducer } from "../onnx/find-producer.ts";
import { graphIndex } from "../onnx/graph-index.ts";
import type { OnnxModel } from "../onnx/onnx-model.ts";
import type { Transformer } from "./transformer.ts";

/** The stream and what is added to it, by the last part of TransformerLens' names, in its older and its newer form. */
const lensPlaces: ReadonlyMap<string, readonly string[]> = new Map([
  ["hook_in", ["hook_resid_pre"]],
  ["hook_out", ["hook_resid_post"]],
  ["attn.hook_out", ["attn.hook_out", "hook_attn_out"]],
  ["mlp.hook_out", ["mlp.hook_out", "hook_mlp_out"]],
]);

const attention = "(?:attn|self_attn|attention|self_attention)";
const attentionProjection = `${attention}\\.(?:o_proj|c_proj|out_proj|dense)`;
const mlp = "(?:mlp|feed_forward|block_sparse_moe)";
const mlpProjection = `${mlp}\\.(?:down_proj|c_proj|dense_4h_to_h)`;

/**
 * Modules of a block by Hugging Face's names, and the places of what they return, or read. The first place that the model has is meant: a
 * module returns what it returns before a norm of what is added.
 */
const modulePlaces: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(?:output)?$/, ["hook_resid_post"]],
  [/^input$/, ["hook_resid_pre"]],
  [new RegExp(`^${attentionProjection}\\.input$`), ["attn.hook_z"]],
  [new RegExp(`^(?:${attention}|${attentionProjection})(?:\\.output)?$`), ["attn.hook_out", "hook_attn_out"]],
  [new RegExp(`^(?:${mlp}|${mlpProjection})(?:\\.output)?$`), ["mlp.hook_out", "hook_mlp_out"]],
];

/** Norms of what is added, which exist under these names only where that is normalised: elsewhere they may name the norm of the next branch. */
const addedNorms: readonly (readonly [RegExp, string, string])[] = [
  [/^post_attention_layernorm(?:\.output)?$/, "attn.hook_out", "hook_attn_out"],
  [/^post_feedforward_layernorm(?:\.output)?$/, "mlp.hook_out", "hook_mlp_out"],
];

/** The names of dictionary_learning's SAEs; they are trained on what modules return. */
const submodulePlaces: ReadonlyMap<string, readonly string[]> = new Map([
  ["resid_pre", ["hook_resid_pre"]],
  ["resid_post", ["hook_resid_post"]],
  ["attn_out", ["attn.hook_out", "hook_attn_out"]],
  ["attention_out", ["attn.hook_out", "hook_attn_out"]],
  ["mlp_out", ["mlp.hook_out", "hook_mlp_out"]],
]);

/** A block by its number, and what of it is meant: the first of these places that it has. */
interface RequestedPlace {
  readonly block: number;
  readonly places: readonly string[];
}

/**
 * The value of the graph that a hook's name means: a place by TransformerLens' name (`blocks.8.hook_resid_pre`, and `blocks.8.hook_in` of its newer
 * models); a value of the graph by its own; a module by Hugging Face's name, whole or from the list of blocks on, for what it returns
 * (`model.layers.8`, `model.layers.8.output`, `transformer.h.8.attn`, `layers.8.mlp`, `embed_tokens`) or reads (`model.layers.8.self_attn.o_proj.input`); or a
 * submodule of dictionary_learning (`resid_post_layer_8`). Throws UnsupportedError with the nearest names where there is none, and with
 * what there is for a block, or a place of a block, that the model does not have.
 */
export function resolveHook(name: string, transformer: Transformer | undefined, model: OnnxModel): string {
  const known = new Map([...(transformer?.further ?? []), ...(transformer?.places ?? [])]);
  const place = known.get(name);
  if (place !== undefined) return place;
  if (graphIndex(model).producer(name) !== undefined) return name;
  const requested = requestedPlace(name, known);
  if (requested !== undefined) return placeOfBlock(name, requested, known, model, transformer?.blocks ?? 0);
  const isEmbedding = /(?:^|\.)(?:embed_tokens|wte|embed_in)(?:\.output)?$/.test(name);
  const embedding = known.get("embed.hook_out") ?? known.get("hook_embed");
  if (isEmbedding && embedding !== undefined) return embedding;
  throw unknownHook(name, known, model);
}

function requestedPlace(name: string, known: ReadonlyMap<string, string>): RequestedPlace | undefined {
  const lens = /^blocks\.(\d+)\.((?:attn\.|mlp\.)?hook_\w+)$/.exec(name);
  if (lens) return { block: Number(lens[1]), places: lensPlaces.get(lens[2]) ?? [lens[2]] };

  const submodule = /^([a-z_]+?)_layer_?(\d+)$/.exec(name);
  const returned = submodule && submodulePlaces.get(submodule[1]);
  if (submodule && returned) return { block: Number(submodule[2]), places: returned };

  const module = /^(?:[a-z_]+\.)*(?:layers|h|blocks)\.(\d+)(?:\.(.+))?$/.exec(name);
  if (!module) return undefined;
  const block = Number(module[1]);
  const rest = module[2] ?? "";
  const norm = addedNorms.find(
    ([pattern, before]) => pattern.test(rest) && known.has(`blocks.${block}.${before}`),
  );
  const places = norm ? [norm[2]] : modulePlaces.find(([pattern]) => pattern.test(rest))?.[1];
  return places && { block, places };
}

function placeOfBlock(
  name: string,
  { block, places }: RequestedPlace,
  known: ReadonlyMap<string, string>,
  { location }: OnnxModel,
  blocks: number,
): string {
  const prefix = `blocks.${block}.`;
  const value = places.map((place) => known.get(prefix + place)).find((found) => found !== undefined);
  if (value !== undefined) return value;
  const subject = `Cannot read ${JSON.stringify(name)} of ${location}:`;
  if (blocks === 0) {
    throw new UnsupportedError(
      `${subject} no blocks were found in its graph, so that only the graph's own names are known`,
    );
  }
  if (block >= blocks) throw new UnsupportedError(`${subject} it has ${blocks} blocks, 0 to ${blocks - 1}`);
  const there = [...known.keys()]
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length));
  throw new UnsupportedError(`${subject} of block ${block} it has ${there.join(", ")}`);
}

function unknownHook(name: string, known: ReadonlyMap<string, string>, model: OnnxModel): Error {
  const { location, nodes, initializers, inputs } = model;
  const isNoProduct =
    initializers.has(name) ||
    inputs.some((input) => input.name === name) ||
    nodes.some(({ inner }) => inner.includes(name));
  // Says what the value is, and throws.
  if (isNoProduct) findProducer(model, name, "read");
  const values = nodes.flatMap(({ outputs }) => outputs).filter((output) => output !== "");
  const nearest = nearestNames(name, [...known.keys(), ...values], 3);
  const example = [...known.keys()].find((key) => key.startsWith("blocks."));
  const wanted = example === undefined ? "the name" : `a name such as ${example}, or that`;
  const advice =
    nearest.length > 0
      ? `the nearest are ${nearest.join(", ")}`
      : `expected ${wanted} of a value of its graph`;
  return new UnsupportedError(`${location} has no hook ${JSON.stringify(name)}; ${advice}`);
}
