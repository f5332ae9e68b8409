import { type SaeOrigin, UnsupportedError } from "@saestitch/core";
import { centringAt } from "../hooks/centring.ts";
import type { ModelNormalization } from "../model.ts";
import type { Processing } from "../processing.ts";

/** How activations must be read for SAEs to be given what they were trained on. */
export interface SaeReading {
  /** Name of the hook, in the words of the SAE's file. */
  readonly hook: string;
  /** Tokens of a window, BOS counted. */
  readonly context: number;
  readonly bos: boolean;
  readonly processing: Processing;
  /** In words, one by one: what was taken from an SAE's file, what was given, what was chosen by default, and what is not followed. */
  readonly remarks: readonly string[];
}

/** What of model and tokenizer decides how activations are read. */
export interface ReadingFacts {
  readonly normalization: ModelNormalization;
  /** Whether the tokenizer has a BOS. */
  readonly hasBos: boolean;
  /** Tokens that the model can read at once, where that is known. */
  readonly longestContext?: number | undefined;
}

/** What the user says, which counts before what files say. */
export interface GivenReading {
  readonly hook?: string | undefined;
  readonly context?: number | undefined;
  readonly bos?: boolean | undefined;
  readonly centred?: boolean | undefined;
}

/** SAELens' own. */
const defaultContext = 128;

/**
 * How to read activations for SAEs, from what their files say. Throws {@link UnsupportedError}, naming both, when two of them say different
 * things; when no one says which hook; and for an SAE of a single attention head.
 */
export function readingOf(
  origins: readonly SaeOrigin[],
  { normalization, hasBos, longestContext = defaultContext }: ReadingFacts,
  given: GivenReading = {},
): SaeReading {
  const remarks: string[] = [];
  for (const origin of origins) checkHead(origin);
  const hook = settle<string>("hook", {
    given: given.hook,
    said: statementsOf(origins, ({ hook }) => hook),
    sameAs: placeOf,
    remarks,
  });
  if (hook === undefined)
    throw new UnsupportedError(
      `Cannot tell which activations to read: ${origins.length === 0 ? "no hook is given" : `${nameOf(origins[0])} does not say which hook it was trained on`}. Name the hook`,
    );
  const context = settle<number>("context", {
    given: given.context,
    said: statementsOf(origins, ({ contextSize }) => contextSize),
    describe: (tokens) => `${tokens} tokens`,
    otherwise: Math.min(defaultContext, longestContext),
    remarks,
  });
  const bos = settle<boolean>("beginning of windows", {
    given: given.bos,
    said: statementsOf(origins, ({ prependBos }) => prependBos),
    describe: (bos) => (bos ? "BOS" : "no BOS"),
    otherwise: hasBos,
    remarks,
  });
  const centred = given.centred ?? centredOf(origins, hook, normalization, remarks);
  if (given.centred !== undefined)
    remarks.push(`Activations are ${centred ? "centred over d" : "not centred"}, as given.`);
  remarks.push(...notFollowed(origins));
  return { hook, context, bos, processing: { centred }, remarks };
}

/** What one SAE says of something. */
interface Statement<T> {
  readonly by: string;
  readonly value: T;
}

function statementsOf<T>(
  origins: readonly SaeOrigin[],
  get: (origin: SaeOrigin) => T | undefined,
): Statement<T>[] {
  return origins.flatMap((origin) => {
    const value = get(origin);
    return value === undefined ? [] : [{ by: nameOf(origin), value }];
  });
}

interface Choice<T> {
  readonly given?: T | undefined;
  readonly said: readonly Statement<T>[];
  readonly otherwise?: T;
  readonly describe?: (value: T) => string;
  /** What two values have in common that mean the same. */
  readonly sameAs?: (value: T) => unknown;
  readonly remarks: string[];
}

function settle<T>(what: string, choice: Choice<T> & { readonly otherwise: T }): T;
function settle<T>(what: string, choice: Choice<T>): T | undefined;
function settle<T>(
  what: string,
  { given, said, otherwise, describe = String, sameAs = (value) => value, remarks }: Choice<T>,
): T | undefined {
  const subject = what[0].toUpperCase() + what.slice(1);
  if (given !== undefined) {
    const against = said.find(({ value }) => sameAs(value) !== sameAs(given));
    remarks.push(
      `${subject}: ${describe(given)}, as given${against ? `, although ${against.by} says ${describe(against.value)}` : ""}.`,
    );
    return given;
  }
  agree(what, said, describe, sameAs);
  if (said.length > 0) {
    remarks.push(`${subject}: ${describe(said[0].value)}, as ${said[0].by} says.`);
    return said[0].value;
  }
  if (otherwise !== undefined) remarks.push(`${subject}: ${describe(otherwise)}, by default.`);
  return otherwise;
}

function agree<T>(
  what: string,
  said: readonly Statement<T>[],
  describe: (value: T) => string,
  sameAs: (value: T) => unknown,
): void {
  const [first, ...others] = said;
  const other = others.find(({ value }) => sameAs(value) !== sameAs(first.value));
  if (other === undefined) return;
  throw new UnsupportedError(
    `Cannot read the same activations for both SAEs: their ${what} differs, ${describe(first.value)} says ${first.by}, ` +
      `${describe(other.value)} says ${other.by}`,
  );
}

/** Whether what is read is to be centred, as the model was that the SAEs were trained on; {@link centringAt} says where that changes anything. */
function centredOf(
  origins: readonly SaeOrigin[],
  hook: string,
  normalization: ModelNormalization,
  remarks: string[],
): boolean {
  const said = statementsOf(origins, ({ centredWrites }) => centredWrites);
  agree("centring of the model", said, (centred) => (centred ? "centred" : "not centred"), Boolean);
  const { applies, reason } = centringAt(hook, normalization);
  if (said.length === 0) {
    if (applies && origins.length > 0)
      remarks.push(
        `Activations are taken as they are: ${nameOf(origins[0])} does not say whether its model was centred.`,
      );
    return false;
  }
  const [{ by, value }] = said;
  if (!value) return false;
  const done = applies
    ? "the mean over d is subtracted from each activation"
    : "activations are taken as they are";
  remarks.push(`The model of ${by} had its writing weights centred: ${done}, because ${reason}.`);
  if (hook.endsWith("hook_z"))
    remarks.push(`If the value biases of that model were folded too, ${hook} had a constant less than here.`);
  return applies;
}

/** A hook by what it reads: the residual stream after a block is that before the next. */
function placeOf(hook: string): string {
  const block = /^blocks\.(\d+)\.hook_resid_post$/.exec(hook)?.[1];
  return block === undefined ? hook : `blocks.${Number(block) + 1}.hook_resid_pre`;
}

function checkHead(origin: SaeOrigin): void {
  if (origin.headIndex === undefined) return;
  throw new UnsupportedError(
    `Cannot read activations for ${nameOf(origin)}: it reads head ${origin.headIndex} of its hook alone, and only whole hooks can be read`,
  );
}

function notFollowed(origins: readonly SaeOrigin[]): string[] {
  const remarks = origins.flatMap((origin) => {
    const { excludeSpecialTokens: excluded, seqposSlice: slice, datasetPath: text } = origin;
    const name = nameOf(origin);
    return [
      ...(excluded === false
        ? [`${name} was trained on special tokens too; here they enter no average.`]
        : []),
      ...(Array.isArray(excluded)
        ? [
            `${name} was trained without the tokens ${excluded.slice(0, 20).join(", ")}; here special tokens are left out.`,
          ]
        : []),
      ...(slice
        ? [
            `${name} was trained on the positions ${slice.map((bound) => bound ?? "").join(":")} of a context alone; here all are read.`,
          ]
        : []),
      ...(text === undefined ? [] : [`${name} was trained on the text ${text}.`]),
    ];
  });
  return [...new Set(remarks)];
}

const nameOf = ({ location, hook }: SaeOrigin) =>
  location ?? (hook === undefined ? "an SAE" : `an SAE of ${hook}`);
