import { graphIndex } from "../onnx/graph-index.ts";
import type { OnnxModel, OnnxNode } from "../onnx/onnx-model.ts";
import type { Branch } from "./branch.ts";
import { type GraphView, viewGraph } from "./graph-view.ts";
import { normalizationAt, normalizationOfStream } from "./normalization.ts";
import { isFusedAttention, isSoftmax } from "./operators.ts";
import { type ResidualStream, residualStreamTo } from "./residual-stream.ts";
import type { ResidualSum } from "./residual-sum.ts";
import type { Transformer } from "./transformer.ts";

/** Outputs of a graph that are tried, the deepest first. */
const mostOutputs = 3;

/** A transformer's block: attention and MLP, one after the other or side by side; or attention alone. */
interface Block {
  readonly pre: string;
  readonly attention: Branch;
  readonly mid?: string;
  readonly mlp?: Branch;
  readonly post: string;
}

/**
 * The residual stream of a transformer and its places, by the structure of the graph alone: the chain of sums, from the logits back to the
 * embedding, of which one term is what all others are made of. Undefined for graphs that have no such chain, or no attention along it.
 *
 * Models whose blocks normalise the sum (x = norm(x + f(x)), as BERT does) have none of the places that are named; they, and models whose
 * blocks are not an attention and an MLP each, come back with the blocks that are clear, be it none, and a note.
 */
export function findTransformer(model: OnnxModel): Transformer | undefined {
  const view = viewGraph(model);
  for (const output of deepestOutputs(view, model)) {
    const stream = residualStreamTo(view, output);
    if (
      stream?.sums.some(({ branches }) => branches.some(isAttention)) ||
      (stream && isPostNorm(view, stream))
    ) {
      return describe(model, view, stream);
    }
  }
  return undefined;
}

const isAttention = ({ kind }: Branch) => kind === "attention";

function deepestOutputs(view: GraphView, { outputs }: OnnxModel): readonly string[] {
  const depths = new Map<string, number>();
  for (const [index, node] of view.nodes.entries()) {
    let depth = 0;
    for (const source of view.sources(index)) depth = Math.max(depth, depths.get(source) ?? 0);
    for (const output of node.outputs) if (!depths.has(output)) depths.set(output, depth + 1);
  }
  const depthOf = (name: string) => depths.get(name) ?? 0;
  return outputs
    .map(({ name }) => name)
    .sort((a, b) => depthOf(b) - depthOf(a))
    .slice(0, mostOutputs);
}

/** Whether the one sum that is a stream to itself is made of another by a normalisation: x = norm(x + f(x)). */
function isPostNorm(view: GraphView, { sums, before }: ResidualStream): boolean {
  if (sums.length > 1 || before === undefined) return false;
  return before.between.some((node) => normalizationAt(view, node) !== undefined);
}

function describe(model: OnnxModel, view: GraphView, stream: ResidualStream): Transformer {
  const { sums } = stream;
  const embedding = sums[0].skip;
  const normalization = normalizationOfStream(view, [embedding, ...sums.map(({ value }) => value)]);
  const unnamed = (note: string): Transformer => ({
    ...{ blocks: 0, normalization: "unknown", embedding, notes: [note] },
    ...{ places: new Map(), further: new Map() },
  });
  if (isPostNorm(view, stream)) {
    return unnamed(
      "The blocks normalise the sum of what they read and what they add, so that no residual stream has places to name",
    );
  }
  const before = Array.from(graphIndex(model).ancestors([embedding]), (node) => view.nodes[node]);
  if (before.some((node) => isFusedAttention(node) || isSoftmax(node))) {
    return unnamed(
      `There is attention before ${embedding}, where the residual stream was lost, so that blocks cannot be numbered`,
    );
  }

  const { blocks, rest } = blocksOf(sums);
  const notes: string[] = [];
  if (rest > 0) {
    notes.push(
      `Of ${sums.length} sums of the residual stream the last ${rest} are not named: they are not attention and MLP by turns`,
    );
  }
  for (const [index, { attention }] of blocks.entries()) {
    if (attention.z === undefined) notes.push(`blocks.${index}.attn.hook_z was not found`);
  }
  if (normalization === "unknown")
    notes.push("The residual stream is not normalised in one way wherever it is read");
  return {
    blocks: blocks.length,
    normalization,
    places: placesOf(blocks),
    further: furtherPlacesOf(view, embedding, blocks),
    embedding,
    notes,
  };
}

/** Sums to blocks, from the first on, as far as they are; `rest` counts the sums that are left. */
function blocksOf(sums: readonly ResidualSum[]): {
  readonly blocks: readonly Block[];
  readonly rest: number;
} {
  const blocks: Block[] = [];
  const hasMlp = sums.some(({ branches }) => branches.some(({ kind }) => kind === "mlp"));
  let next = 0;
  while (next < sums.length) {
    const { skip: pre, value, branches } = sums[next];
    const [attention] = branches.filter(isAttention);
    const mlps = branches.filter((branch) => !isAttention(branch));
    const after = sums.at(next + 1);
    if (attention === undefined || branches.length > 2) break;
    if (mlps.length === 1) {
      blocks.push({ pre, attention, mlp: mlps[0], post: value });
      next += 1;
    } else if (branches.length === 1 && !hasMlp) {
      blocks.push({ pre, attention, post: value });
      next += 1;
    } else if (branches.length === 1 && after?.branches.length === 1 && !isAttention(after.branches[0])) {
      blocks.push({ pre, attention, mid: value, mlp: after.branches[0], post: after.value });
      next += 2;
    } else {
      break;
    }
  }
  return { blocks, rest: sums.length - next };
}

function placesOf(blocks: readonly Block[]): ReadonlyMap<string, string> {
  return named(
    blocks.flatMap(({ pre, attention, mid, mlp, post }, index) => [
      [`blocks.${index}.hook_resid_pre`, pre],
      [`blocks.${index}.attn.hook_z`, attention.z],
      [`blocks.${index}.hook_attn_out`, attention.value],
      [`blocks.${index}.hook_resid_mid`, mid],
      [`blocks.${index}.hook_mlp_out`, mlp?.value],
      [`blocks.${index}.hook_resid_post`, post],
    ]),
  );
}

function furtherPlacesOf(
  view: GraphView,
  embedding: string,
  blocks: readonly Block[],
): ReadonlyMap<string, string> {
  return named([
    ...embeddingPlaces(view, embedding),
    ...blocks.flatMap(({ attention, mlp }, index): [string, string | undefined][] => [
      [`blocks.${index}.attn.hook_out`, attention.unnormalized],
      [`blocks.${index}.mlp.hook_out`, mlp?.unnormalized],
    ]),
  ]);
}

/** The names that have a value. */
function named(entries: readonly (readonly [string, string | undefined])[]): ReadonlyMap<string, string> {
  return new Map(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** The embedding of the tokens, where nothing but a factor stands between it and the first block: a row of a table for each token. */
function embeddingPlaces(view: GraphView, embedding: string): readonly (readonly [string, string])[] {
  const maker: OnnxNode | undefined = view.nodes[view.maker(embedding)];
  const scaled = maker?.opType === "Mul" ? maker.inputs.filter((input) => !view.isConstant(input)) : [];
  const row = scaled.length === 1 ? view.origin(scaled[0]) : embedding;
  const gather: OnnxNode | undefined = view.nodes[view.maker(row)];
  if (gather?.opType !== "Gather" || !view.isConstant(gather.inputs[0])) return [];
  const place = ["hook_embed", embedding] as const;
  return row === embedding ? [place] : [["embed.hook_out", row], place];
}
