import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomSae } from "../../test-support/random-saes.ts";
import { FormatError, UnsupportedError } from "../errors.ts";
import { seededRandom } from "../linalg/random.ts";
import { type Plan, type PlannedPair, plannedSae } from "./plan.ts";
import { formatPlan, parsePlan } from "./read-plan.ts";

const pair: PlannedPair = {
  smaller: { location: "small", hash: "aa", latents: 4 },
  larger: { location: "large", hash: null, latents: 9 },
};
const plan: Plan = {
  schema: "saestitch.plan/1",
  ...pair,
  steps: [
    { remove: [], insert: [8], note: "novel" },
    { remove: [0, 3], insert: [1, 2] },
  ],
};

const parse = (value: unknown, given = pair) =>
  parsePlan(
    new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value)),
    "p.json",
    given,
  );

describe("formatPlan()", () => {
  test("writes one step per line", () => {
    expect(formatPlan(plan)).toBe(`{
  "schema": "saestitch.plan/1",
  "smaller": { "location": "small", "hash": "aa", "latents": 4 },
  "larger": { "location": "large", "hash": null, "latents": 9 },
  "steps": [
    { "remove": [], "insert": [8], "note": "novel" },
    { "remove": [0, 3], "insert": [1, 2] }
  ]
}
`);
  });

  test("is undone by parsePlan()", () => {
    const text = fc.string({ unit: "grapheme" });
    const sae = (latents: number) =>
      fc.record({ location: text, hash: fc.option(text), latents: fc.constant(latents) });
    const numbers = (latents: number) =>
      fc.shuffledSubarray(Array.from({ length: latents }, (_, j) => j)).chain((order) =>
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: order.length, maxLength: order.length }).map(
          // The step that each latent moves in.
          (steps) => [0, 1, 2, 3].map((step) => order.filter((_, k) => steps[k] === step)),
        ),
      );
    fc.assert(
      fc.property(
        sae(4),
        sae(9),
        numbers(4),
        numbers(9),
        fc.array(text, { minLength: 4, maxLength: 4 }),
        (smaller, larger, removes, inserts, notes) => {
          const steps = removes
            .map((remove, k) => ({ remove, insert: inserts[k], ...(k % 2 === 0 && { note: notes[k] }) }))
            .filter(({ remove, insert }) => remove.length + insert.length > 0);
          const written: Plan = { schema: "saestitch.plan/1", smaller, larger, steps };
          expect(parse(formatPlan(written), { smaller, larger })).toEqual(written);
        },
      ),
    );
  });
});

describe("parsePlan()", () => {
  test("takes steps without the lists that would be empty", () => {
    const steps = [{ insert: [8] }, { remove: [1] }];
    expect(parse({ ...plan, steps }).steps).toEqual([
      { remove: [], insert: [8] },
      { remove: [1], insert: [] },
    ]);
  });

  test("takes an empty plan, and one for SAEs whose hash is unknown", () => {
    expect(parse({ ...plan, steps: [] }).steps).toEqual([]);
    const { hash: _, ...withoutHash } = plan.smaller;
    expect(parse({ ...plan, smaller: withoutHash }).smaller.hash).toBeNull();
    expect(parse({ ...plan, larger: { ...plan.larger, hash: "cc" } }).larger.hash).toBe("cc");
  });

  test("takes SAEs that lie elsewhere now", () => {
    expect(parse(plan, { ...pair, smaller: { ...pair.smaller, location: "moved" } })).toEqual(plan);
  });

  const step = (fields: object) => ({ ...plan, steps: [plan.steps[0], fields] });
  test.each<[string, unknown]>([
    ["p.json is not JSON", "{"],
    ["p.json holds an array of 0, expected a JSON object", []],
    ['p.json has the schema undefined, expected "saestitch.plan/1"', {}],
    ['p.json has the schema "saestitch.plan/2"', { ...plan, schema: "saestitch.plan/2" }],
    ["p.json holds step, expected only schema, smaller, larger, steps", { ...plan, step: [] }],
    ["p.json: steps is undefined, expected an array", { ...plan, steps: undefined }],
    ["p.json: smaller is null, expected an object", { ...plan, smaller: null }],
    ["p.json: larger: location is 3, expected a string", { ...plan, larger: { location: 3, latents: 9 } }],
    ["p.json: larger: hash is 3, expected a string", { ...plan, larger: { ...plan.larger, hash: 3 } }],
    [
      "p.json: larger: latents is 1.5, expected how many",
      { ...plan, larger: { ...plan.larger, latents: 1.5 } },
    ],
    ["p.json: step 2 is an array of 0, expected an object", step([])],
    ["p.json: step 2 holds inserts, expected only remove, insert, note", step({ remove: [1], inserts: [2] })],
    ["p.json: step 2 moves no latent", step({ remove: [], note: "nothing" })],
    ["p.json: step 2: remove is 3, expected an array of latents", step({ remove: 3 })],
    ['p.json: step 2: insert holds "3", expected the number of a latent', step({ insert: [1, "3"] })],
    ["p.json: step 2: insert holds 1.5, expected the number of a latent", step({ insert: [1.5] })],
    ["p.json: step 2: insert holds -1, expected the number of a latent", step({ insert: [-1] })],
    ["p.json: step 2: note is 7, expected a string", step({ insert: [1], note: 7 })],
    ["p.json: step 2: note is ", step({ insert: [1], note: "n".repeat(1001) })],
  ])("refuses a file with a FormatError: %s", (message, value) => {
    expect(() => parse(value)).toThrow(FormatError);
    expect(() => parse(value)).toThrow(message);
  });

  test.each<[string, unknown, PlannedPair]>([
    [
      "p.json: Step 2 inserts latent 9 of the larger SAE, whose latents are 0 to 8",
      step({ insert: [9] }),
      pair,
    ],
    [
      "p.json: Step 2 inserts latent 8 of the larger SAE, which step 1 inserts already",
      step({ insert: [8] }),
      pair,
    ],
    [
      "p.json: The plan was made for another smaller SAE: for small (4 latents, hash aa), but given is other (4 latents, hash bb)",
      plan,
      { ...pair, smaller: { location: "other", hash: "bb", latents: 4 } },
    ],
    [
      "p.json: The plan was made for another larger SAE: for large (9 latents, hash unknown), but given is large (10 latents, hash unknown)",
      plan,
      { ...pair, larger: { ...pair.larger, latents: 10 } },
    ],
  ])("refuses a plan that cannot be run: %s", (message, value, given) => {
    expect(() => parse(value, given)).toThrow(UnsupportedError);
    expect(() => parse(value, given)).toThrow(message);
  });
});

test("plannedSae() counts the latents and keeps location and hash", () => {
  const sae = randomSae(seededRandom(1), 3, 7);
  expect(plannedSae(sae)).toEqual({ location: "an SAE of 7 latents", hash: null, latents: 7 });
  expect(plannedSae({ ...sae, origin: { dialect: "none", location: "here" } }, "ff")).toEqual({
    location: "here",
    hash: "ff",
    latents: 7,
  });
});
