import { UnsupportedError } from "@saestitch/core";
import type { EncodedGraph, Engine, EngineSession } from "../engine/engine.ts";
import { findTransformer } from "../hooks/find-transformer.ts";
import { resolveHook } from "../hooks/hook-names.ts";
import type { Hook, Model, Splice } from "../model.ts";
import { encodeOnnx } from "../onnx/encode-onnx.ts";
import { headOf } from "../onnx/head-of.ts";
import type { OnnxModel } from "../onnx/onnx-model.ts";
import { unfuseSkipNorms } from "../onnx/unfuse-skip-norms.ts";
import { findLogits } from "./find-logits.ts";
import { hiddenValues, hookOf } from "./hidden-values.ts";
import { languageFeeds } from "./language-feeds.ts";
import { probeShapes } from "./probe-shapes.ts";
import { spliceModel } from "./splice-model.ts";
import { tokenMatrix } from "./token-matrix.ts";
import { withinLimits } from "./within-limits.ts";

/** Where a model's weights lie, for the engine. */
export type WeightPlace = Pick<EncodedGraph, "folder" | "externalData">;

/**
 * A language model out of an ONNX graph. The graph is cut, not re-exported: a hook is made an output, or the rest of the graph is fed with
 * another value for it. Takes the engine over: closing the model closes it.
 */
export function openLanguageModel(file: OnnxModel, engine: Engine, weights: WeightPlace = {}): Model {
  const model = unfuseSkipNorms(file);
  const { location } = model;
  const transformer = findTransformer(model);
  const places = new Map([...(transformer?.places ?? []), ...(transformer?.further ?? [])]);
  const logits = findLogits(model);

  const load = (graph: OnnxModel): Promise<EngineSession> =>
    engine.load({ ...weights, bytes: encodeOnnx(graph) });

  /** The part of the graph up to the hook that was last asked for. */
  let head: { readonly tensor: string; readonly session: Promise<EngineSession> } | undefined;
  function headSession(tensor: string): Promise<EngineSession> {
    if (head?.tensor !== tensor) {
      const last = head?.session.then(
        (session) => session.close(),
        // What could not be loaded need not be closed.
        () => {},
      );
      head = { tensor, session: Promise.resolve(last).then(() => load(headOf(model, [tensor]))) };
    }
    return head.session;
  }

  /** Those of some values that are hooks, by the names they go by. */
  async function probed(values: readonly NamedValue[]): Promise<Hook[]> {
    const tensors = [...new Set(values.map(({ tensor }) => tensor))];
    if (tensors.length === 0) return [];
    const session = await load(headOf(model, tensors));
    try {
      const shapes = await probeShapes(session, tensors);
      return values.flatMap(({ tensor, name }) => hookOf(tensor, name, shapes.get(tensor)!) ?? []);
    } finally {
      await session.close();
    }
  }

  return {
    location,
    engine: engine.name,
    ...(logits?.vocabulary !== undefined && { vocabulary: logits.vocabulary }),
    blocks: transformer?.blocks ?? 0,
    normalization: transformer?.normalization ?? "unknown",
    notes: transformer?.notes ?? [
      "no transformer's structure was found in the graph, so only its own names are known",
    ],

    async listHooks({ all = false } = {}) {
      const known = Array.from(places, ([name, tensor]) => ({ name, tensor }));
      const named = new Set(places.values());
      const rest = all ? hiddenValues(model).filter((tensor) => !named.has(tensor)) : [];
      return probed([...known, ...rest.map((tensor) => ({ tensor, name: undefined }))]);
    },

    async findHook(requested) {
      const tensor = resolveHook(requested, transformer, model);
      const session = await headSession(tensor);
      const shape = (await probeShapes(session, [tensor])).get(tensor)!;
      const name = places.has(requested) ? requested : nameOf(tensor, places);
      const hook = hookOf(tensor, name, shape);
      if (hook === undefined)
        throw new UnsupportedError(
          `Cannot read ${requested} of ${location}: its shape [${shape.shape.join(", ")}], ${shape.type}, is not that of a vector of floats for each token`,
        );
      return hook;
    },

    async activations({ tensor }, batch) {
      const session = await headSession(tensor);
      const { fetched } = await withinLimits(batch, () =>
        session.run(languageFeeds(session.inputs, batch), { fetch: [tensor] }),
      );
      return tokenMatrix(fetched[tensor], batch);
    },

    async splice(hook): Promise<Splice> {
      if (logits === undefined)
        throw new UnsupportedError(
          `Cannot measure the loss of ${location}: it has no output "logits", only ${model.outputs.map(({ name }) => name).join(", ")}; export it for text generation`,
        );
      return spliceModel(model, hook, { engine, load, logits, transformer });
    },

    async close() {
      await engine.close();
    },
  };
}

/** A value of the graph, and the name of the place it is. */
interface NamedValue {
  readonly tensor: string;
  readonly name: string | undefined;
}

function nameOf(value: string, places: ReadonlyMap<string, string>): string | undefined {
  for (const [name, tensor] of places) if (tensor === value) return name;
  return undefined;
}
