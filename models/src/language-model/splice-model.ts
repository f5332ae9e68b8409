import { type Matrix, ShapeError, UnsupportedError } from "@saestitch/core";
import type { Engine, EngineSession, HostTensor, KeptTensor } from "../engine/engine.ts";
import type { Transformer } from "../hooks/transformer.ts";
import type { Hook, PredictionLosses, Splice, SplicedBatch } from "../model.ts";
import { bypasses } from "../onnx/bypass.ts";
import { headOf } from "../onnx/head-of.ts";
import { elementTypes, type OnnxModel } from "../onnx/onnx-model.ts";
import { planTail, tailModel } from "../onnx/tail-of.ts";
import type { TokenBatch } from "../tokens/token-batch.ts";
import type { Logits } from "./find-logits.ts";
import { floatTensor, floatValues } from "./host-values.ts";
import { languageFeeds } from "./language-feeds.ts";
import { changedLossGraph, lossNames, originalLossGraph } from "./loss-graphs.ts";
import { tokenMatrix } from "./token-matrix.ts";
import { withinLimits } from "./within-limits.ts";

/** What a splice needs of the model it is made of. */
export interface SpliceParts {
  readonly engine: Engine;
  load(graph: OnnxModel): Promise<EngineSession>;
  readonly logits: Logits;
  readonly transformer: Transformer | undefined;
}

/**
 * Cut a model at a hook: a head that ends with the hook, and a tail that begins with it. What else the tail reads (masks, rotary tables, for a
 * hook inside a block the residual stream around it) the head makes and the engine keeps; no part of the model is run twice.
 *
 * Throws UnsupportedError where a place of the residual stream does not cut it, or nothing depends on the hook.
 */
export async function spliceModel(model: OnnxModel, hook: Hook, parts: SpliceParts): Promise<Splice> {
  const { engine, load, logits, transformer } = parts;
  if (hook.name?.includes("hook_resid") && transformer !== undefined)
    refuseBypass(model, hook, transformer.embedding, logits.name);

  const plan = planTail(model, hook.tensor, [logits.name]);
  const sessions: EngineSession[] = [];
  const opened = async (graph: OnnxModel) => {
    const session = await load(graph);
    sessions.push(session);
    return session;
  };
  const close = async () => {
    for (const session of sessions.splice(0)) await session.close();
  };
  try {
    const headOutputs = [hook.tensor, ...plan.crossing];
    const head = await opened(headOf(model, headOutputs));
    const types = new Map(head.outputs.map(({ name, type }) => [name, elementTypes[type]]));
    const tail = await opened(tailModel(model, plan, types));
    const original = await opened(originalLossGraph(logits.elementType));
    const changed = await opened(changedLossGraph(logits.elementType));

    return { hook, begin, close };

    async function begin(batch: TokenBatch): Promise<SplicedBatch> {
      const kept: KeptTensor[] = [];
      const targets = () => nextTokens(batch);
      const releaseAll = () => engine.release(kept.splice(0));
      return withinLimits(batch, async () => {
        try {
          return await beginning();
        } catch (error) {
          await releaseAll();
          throw error;
        }
      });

      async function beginning(): Promise<SplicedBatch> {
        const read = await head.run(languageFeeds(head.inputs, batch), {
          fetch: [hook.tensor],
          keep: headOutputs,
        });
        kept.push(...Object.values(read.kept));
        const activations = tokenMatrix(read.fetched[hook.tensor], batch);
        const logitsOf = async (value: HostTensor | KeptTensor) => {
          const tokens = languageFeeds(
            tail.inputs.filter(({ name }) => !headOutputs.includes(name)),
            batch,
          );
          const feeds = { ...tokens, ...read.kept, [hook.tensor]: value };
          return (await tail.run(feeds, { keep: [logits.name] })).kept[logits.name];
        };

        const own = await logitsOf(read.kept[hook.tensor]);
        const { fetched, kept: reference } = await original
          .run(
            { [lossNames.logits]: own, [lossNames.targets]: targets() },
            { fetch: [lossNames.crossEntropy], keep: [lossNames.logProbabilities] },
          )
          .finally(() => engine.release([own]));
        kept.push(...Object.values(reference));

        return {
          activations,
          original: {
            crossEntropy: floatValues(fetched[lossNames.crossEntropy]),
            divergence: new Float32Array(batch.rows * batch.length),
          },
          run: (replacement) =>
            withinLimits(batch, () => lossesOf(replacement, read.fetched[hook.tensor], activations)),
          close: releaseAll,
        };

        async function lossesOf(
          replacement: Matrix,
          { type, dims }: HostTensor,
          { rows, columns }: Matrix,
        ): Promise<PredictionLosses> {
          if (replacement.rows !== rows || replacement.columns !== columns)
            throw new ShapeError(
              `Cannot put a matrix of ${replacement.rows} × ${replacement.columns} at ${hook.name ?? hook.tensor}: expected ${rows} × ${columns}`,
            );
          const replaced = await logitsOf(floatTensor(replacement.values, type, dims));
          const losses = await changed
            .run(
              {
                [lossNames.logits]: replaced,
                [lossNames.targets]: targets(),
                [lossNames.reference]: reference[lossNames.logProbabilities],
              },
              { fetch: [lossNames.crossEntropy, lossNames.divergence] },
            )
            .finally(() => engine.release([replaced]));
          return {
            crossEntropy: floatValues(losses.fetched[lossNames.crossEntropy]),
            divergence: floatValues(losses.fetched[lossNames.divergence]),
          };
        }
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
}

/** The residual stream is replaced whole or not at all: with a way around the hook the loss would mean nothing. */
function refuseBypass(model: OnnxModel, { name, tensor }: Hook, embedding: string, logits: string): void {
  const [edge] = tensor === embedding ? [] : bypasses(model, tensor, embedding, [logits]);
  if (edge === undefined) return;
  throw new UnsupportedError(
    `Cannot replace ${name} of ${model.location}: the value ${edge.value} reaches the logits around it, by the ${edge.node.opType} node ${JSON.stringify(edge.node.name)}`,
  );
}

/** Each position's next token; the last position of a row, which has none, gets token 0. */
function nextTokens({ rows, length, tokenIds }: TokenBatch): HostTensor {
  const data = new BigInt64Array(rows * length);
  for (let i = 0; i < data.length; i++) data[i] = (i + 1) % length === 0 ? 0n : BigInt(tokenIds[i + 1]);
  return { type: "int64", dims: [rows, length, 1], data };
}
