import { FormatError, UnsupportedError } from "../errors.ts";
import { describe, describeNames, parseJsonObject } from "../formats/json.ts";
import { checkSwaps } from "./exchange.ts";
import type { Plan, PlannedPair, PlannedSae, PlanStep } from "./plan.ts";

const schema = "saestitch.plan/1";
/** A step takes some 60 bytes, so this is enough for millions of latents. */
const MOST_BYTES = 256 * 2 ** 20;
const LONGEST_NOTE = 1000;

/**
 * Read a plan (JSON, `saestitch.plan/1`) for the pair of SAEs that it is to be run on; `name` is that of the file. `remove`,
 * `insert` and `note` of a step may be left out.
 *
 * Throws {@link FormatError} for a file that is not a plan or holds an unknown key, and {@link UnsupportedError} for a plan made for
 * other SAEs (hash or number of latents differ; a hash of null fits any), and for a latent that does not exist or occurs twice.
 */
export function parsePlan(bytes: Uint8Array, name: string, pair: PlannedPair): Plan {
  const fields = parseJsonObject(bytes, name, { maxBytes: MOST_BYTES });
  if (fields.schema !== schema)
    throw new FormatError(
      `${name} has the schema ${describe(fields.schema)}, expected ${describe(schema)}: a plan`,
    );
  refuseOtherKeys(fields, ["schema", "smaller", "larger", "steps"], name);
  const smaller = parsePlannedSae(fields.smaller, `${name}: smaller`);
  const larger = parsePlannedSae(fields.larger, `${name}: larger`);
  if (!Array.isArray(fields.steps))
    throw new FormatError(`${name}: steps is ${describe(fields.steps)}, expected an array of steps`);
  const steps = fields.steps.map((step, k) => parseStep(step, `${name}: step ${k + 1}`));
  const plan: Plan = { schema, smaller, larger, steps };
  try {
    checkPlan(plan, pair);
  } catch (cause) {
    throw new UnsupportedError(`${name}: ${(cause as Error).message}`, { cause });
  }
  return plan;
}

/**
 * Throw {@link UnsupportedError} unless `plan` can be run on `pair`: made for these SAEs, so far as hashes are known, and moving no
 * latent twice and none that does not exist.
 */
function checkPlan(plan: Plan, pair: PlannedPair): void {
  for (const role of ["smaller", "larger"] as const) {
    const [wanted, given] = [plan[role], pair[role]];
    const otherHash = wanted.hash !== null && given.hash !== null && wanted.hash !== given.hash;
    if (otherHash || wanted.latents !== given.latents)
      throw new UnsupportedError(
        `The plan was made for another ${role} SAE: for ${describeSae(wanted)}, but given is ${describeSae(given)}`,
      );
  }
  checkSwaps(plan.steps, { smaller: plan.smaller.latents, larger: plan.larger.latents });
}

/** The plan as JSON with one step per line, so that it can be edited by hand and compared line by line. */
export function formatPlan({ smaller, larger, steps }: Plan): string {
  const lines = steps.map((step) => `    ${stepText(step)}`);
  return [
    "{",
    `  "schema": ${JSON.stringify(schema)},`,
    `  "smaller": ${saeText(smaller)},`,
    `  "larger": ${saeText(larger)},`,
    lines.length === 0 ? '  "steps": []' : `  "steps": [\n${lines.join(",\n")}\n  ]`,
    "}\n",
  ].join("\n");
}

function parsePlannedSae(value: unknown, name: string): PlannedSae {
  const fields = objectAt(value, name);
  refuseOtherKeys(fields, ["location", "hash", "latents"], name);
  const { location, hash = null, latents } = fields;
  if (typeof location !== "string")
    throw new FormatError(`${name}: location is ${describe(location)}, expected a string`);
  if (hash !== null && typeof hash !== "string")
    throw new FormatError(`${name}: hash is ${describe(hash)}, expected a string or null`);
  if (typeof latents !== "number" || !Number.isSafeInteger(latents) || latents < 0)
    throw new FormatError(`${name}: latents is ${describe(latents)}, expected how many the SAE has`);
  return { location, hash, latents };
}

function parseStep(value: unknown, name: string): PlanStep {
  const fields = objectAt(value, name);
  refuseOtherKeys(fields, ["remove", "insert", "note"], name);
  const remove = parseLatents(fields.remove, `${name}: remove`);
  const insert = parseLatents(fields.insert, `${name}: insert`);
  if (remove.length + insert.length === 0)
    throw new FormatError(`${name} moves no latent; expected at least one in remove or insert`);
  const { note } = fields;
  if (note === undefined) return { remove, insert };
  if (typeof note !== "string" || note.length > LONGEST_NOTE)
    throw new FormatError(
      `${name}: note is ${describe(note)}, expected a string of at most ${LONGEST_NOTE} characters`,
    );
  return { remove, insert, note };
}

function parseLatents(value: unknown, name: string): number[] {
  if (value === undefined) return [];
  if (!Array.isArray(value))
    throw new FormatError(`${name} is ${describe(value)}, expected an array of latents`);
  for (const latent of value)
    if (!Number.isSafeInteger(latent) || latent < 0)
      throw new FormatError(`${name} holds ${describe(latent)}, expected the number of a latent, from 0`);
  return value;
}

function objectAt(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new FormatError(`${name} is ${describe(value)}, expected an object`);
  return value as Record<string, unknown>;
}

function refuseOtherKeys(fields: Record<string, unknown>, known: readonly string[], name: string): void {
  const others = Object.keys(fields).filter((key) => !known.includes(key));
  if (others.length > 0)
    throw new FormatError(`${name} holds ${describeNames(others)}, expected only ${known.join(", ")}`);
}

function describeSae({ location, hash, latents }: PlannedSae): string {
  return `${location} (${latents} latents, ${hash === null ? "hash unknown" : `hash ${hash}`})`;
}

function saeText({ location, hash, latents }: PlannedSae): string {
  return `{ "location": ${JSON.stringify(location)}, "hash": ${JSON.stringify(hash)}, "latents": ${latents} }`;
}

function stepText({ remove, insert, note }: PlanStep): string {
  const comment = note === undefined ? "" : `, "note": ${JSON.stringify(note)}`;
  return `{ "remove": [${remove.join(", ")}], "insert": [${insert.join(", ")}]${comment} }`;
}
