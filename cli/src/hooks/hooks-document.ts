import type { Hook, Model, ModelNormalization } from "@saestitch/models";

/** Version of the document; docs/hooks-output.md describes every field. */
export const HOOKS_SCHEMA = "saestitch.hooks/1";

/** A place of a model as the document has it. */
export interface HookDescription {
  readonly name: string | null;
  readonly tensor: string;
  readonly shape: readonly (number | string)[];
  readonly d: number;
}

/** All that `hooks` says, as `--json` prints it. */
export interface HooksDocument {
  readonly schema: typeof HOOKS_SCHEMA;
  readonly location: string;
  readonly engine: string;
  readonly vocabulary: number | null;
  readonly blocks: number;
  readonly normalization: ModelNormalization;
  readonly notes: readonly string[];
  readonly hooks: readonly HookDescription[];
}

/** The document of a model and the places of it that are listed. */
export function hooksDocument(
  { location, engine, vocabulary, blocks, normalization, notes }: Model,
  hooks: readonly Hook[],
): HooksDocument {
  return {
    schema: HOOKS_SCHEMA,
    location,
    engine,
    vocabulary: vocabulary ?? null,
    blocks,
    normalization,
    notes,
    hooks: hooks.map(({ name, tensor, shape, d }) => ({ name: name ?? null, tensor, shape, d })),
  };
}
