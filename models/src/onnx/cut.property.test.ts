import { UnsupportedError } from "@saestitch/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bypasses } from "./bypass.ts";
import { graphIndex } from "./graph-index.ts";
import { headOf } from "./head-of.ts";
import { makeModel } from "./make-model.ts";
import { makeNode } from "./make-node.ts";
import { makeFloatTensor } from "./make-tensor.ts";
import { makeValue } from "./make-value.ts";
import type { OnnxModel, OnnxNode } from "./onnx-model.ts";
import { planTail, tailModel } from "./tail-of.ts";

const inputs = ["in0", "in1"];
const constants = ["c0", "c1"];

/** Up to 14 nodes that read one to four values from before them and make one or two. Some look at shapes only, some have own graphs that read. */
const models: fc.Arbitrary<OnnxModel> = fc
  .array(
    fc.record({
      reads: fc.array(fc.nat(999), { minLength: 1, maxLength: 3 }),
      captures: fc.array(fc.nat(999), { maxLength: 1 }),
      opType: fc.constantFrom("Add", "Add", "Add", "Shape"),
      isPair: fc.boolean(),
    }),
    { minLength: 2, maxLength: 14 },
  )
  .map((drawn) => {
    const values = [...inputs, ...constants];
    const nodes: OnnxNode[] = [];
    for (const [i, { reads, captures, opType, isPair }] of drawn.entries()) {
      // Mostly what was made last, so that paths get long.
      const pick = (n: number) => values[values.length - 1 - Math.floor((n / 1000) ** 2 * values.length)];
      const outputs = isPair ? [`n${i}a`, `n${i}b`] : [`n${i}a`];
      nodes.push({ ...makeNode(opType, reads.map(pick), outputs), captured: captures.map(pick) });
      values.push(...outputs);
    }
    return makeModel({
      nodes,
      initializers: constants.map((name) => makeFloatTensor(name, [1], [0])),
      inputs: inputs.map((name) => makeValue(name, 1)),
      outputs: [makeValue(nodes[nodes.length - 1].outputs[0])],
    });
  });

const share = fc.nat(999);

function made(model: OnnxModel): string[] {
  return model.nodes.flatMap(({ outputs }) => outputs);
}

function pickOf(values: readonly string[], n: number): string {
  return values[Math.floor((n / 1000) * values.length)];
}

function readBy({ inputs: own, captured }: OnnxNode): string[] {
  return [...own, ...captured];
}

/** Every value as the text of how it was made, `given` ones as what is given for them; nodes are run in their order. */
function run(model: OnnxModel, given: Readonly<Record<string, string>>): Map<string, string> {
  const texts = new Map<string, string>(
    constants.filter((c) => model.initializers.has(c)).map((c) => [c, c]),
  );
  for (const { name } of model.inputs) {
    expect(given[name]).toBeDefined();
    texts.set(name, given[name]);
  }
  for (const node of model.nodes) {
    for (const [i, output] of node.outputs.entries()) {
      const operands = readBy(node).map((name) => {
        expect(texts.has(name), `${name} is there before it is read`).toBe(true);
        return texts.get(name);
      });
      texts.set(output, given[output] ?? `${node.opType}${i}(${operands.join()})`);
    }
  }
  return texts;
}

const own = { in0: "in0", in1: "in1" };

/** Whether anything runs from one value to another, by walking all paths; `blocked`: a value that may not be walked over. */
function reaches(
  model: OnnxModel,
  from: string,
  to: string,
  { blocked, valuesOnly = false }: { blocked?: string; valuesOnly?: boolean } = {},
): boolean {
  const walk = (value: string): boolean => {
    if (value === blocked) return false;
    if (value === to) return true;
    return model.nodes.some(
      (node) =>
        readBy(node).includes(value) && !(valuesOnly && node.opType === "Shape") && node.outputs.some(walk),
    );
  };
  return walk(from);
}

test("graphIndex() finds the ancestors and descendants that walking every path finds", () => {
  fc.assert(
    fc.property(models, share, (model, n) => {
      const value = pickOf([...inputs, ...constants, ...made(model)], n);
      const index = graphIndex(model);
      const numbers = [...model.nodes.keys()];
      expect([...index.descendants([value])].sort((a, b) => a - b)).toEqual(
        numbers.filter((i) => model.nodes[i].outputs.some((o) => o !== value && reaches(model, value, o))),
      );
      expect([...index.ancestors([value])].sort((a, b) => a - b)).toEqual(
        numbers.filter((i) => model.nodes[i].outputs.some((o) => reaches(model, o, value))),
      );
      for (const i of numbers) {
        for (const output of model.nodes[i].outputs) expect(index.producer(output)).toBe(i);
        for (const read of readBy(model.nodes[i])) expect(index.consumers(read)).toContain(i);
      }
    }),
    { numRuns: 300 },
  );
});

test("headOf() computes what the whole computes with nothing that is not needed", () => {
  fc.assert(
    fc.property(models, share, share, (model, n, m) => {
      const outputs = [pickOf(made(model), n), pickOf(made(model), m)];
      const head = headOf(model, outputs);
      const whole = run(model, own);
      const part = run(head, own);
      expect(head.outputs.map(({ name }) => name)).toEqual([...new Set(outputs)]);
      for (const output of outputs) expect(part.get(output)).toBe(whole.get(output));
      const isNeeded = (value: string) => outputs.some((output) => reaches(model, value, output));
      for (const node of head.nodes) expect(node.outputs.some(isNeeded)).toBe(true);
      for (const { name } of head.inputs) expect(isNeeded(name)).toBe(true);
      for (const name of head.initializers.keys()) expect(isNeeded(name)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test("tailModel() computes what the whole computes with another value at the cut", () => {
  let cuts = 0;
  fc.assert(
    fc.property(models, share, (model, n) => {
      const cut = pickOf(made(model), n);
      const [{ name: output }] = model.outputs;
      if (cut === output || !reaches(model, cut, output, { valuesOnly: true })) {
        expect(() => planTail(model, cut, [output])).toThrow(UnsupportedError);
        return;
      }
      cuts++;
      const plan = planTail(model, cut, [output]);
      const tail = tailModel(model, plan, new Map([cut, ...plan.crossing].map((name) => [name, 1])));
      const head = run(headOf(model, [cut, ...plan.crossing]), own);
      const crossing = Object.fromEntries(plan.crossing.map((name) => [name, head.get(name)!]));
      const spliced = run(tail, { ...own, ...crossing, [cut]: "CUT" }).get(output);
      expect(spliced).toBe(run(model, { ...own, [cut]: "CUT" }).get(output));

      const varies = (value: string) => inputs.some((input) => reaches(model, input, value));
      for (const value of plan.crossing) {
        expect(reaches(model, cut, value)).toBe(false);
        expect(varies(value)).toBe(true);
      }
      for (const { outputs } of tail.nodes) {
        expect(outputs.some((value) => reaches(model, value, output, { blocked: cut }))).toBe(true);
        const isAfter = outputs.some((value) => value !== cut && reaches(model, cut, value));
        expect(isAfter || !outputs.some(varies)).toBe(true);
      }
      expect(tail.inputs.map(({ name }) => name)).toEqual([
        cut,
        ...plan.crossing,
        ...inputs.filter((name) => plan.inputs.includes(name)),
      ]);
    }),
    { numRuns: 500 },
  );
  expect(cuts).toBeGreaterThan(100);
});

test("bypasses() finds an edge exactly where values go around the cut", () => {
  let found = 0;
  fc.assert(
    fc.property(models, share, share, (model, n, m) => {
      const cut = pickOf(made(model), n);
      const source = pickOf([...inputs, ...made(model)], m);
      const [{ name: output }] = model.outputs;
      fc.pre(cut !== output && reaches(model, cut, output, { valuesOnly: true }));
      fc.pre(!reaches(model, cut, source));
      const edges = bypasses(model, cut, source, [output]);
      expect(edges.length > 0).toBe(reaches(model, source, output, { blocked: cut, valuesOnly: true }));
      for (const { value, node } of edges) {
        expect(readBy(node)).toContain(value);
        expect(reaches(model, source, value, { valuesOnly: true })).toBe(true);
        expect(reaches(model, cut, value)).toBe(false);
      }
      if (edges.length > 0) found++;
    }),
    { numRuns: 300 },
  );
  expect(found).toBeGreaterThan(50);
});

test("headOf() and planTail() take a chain of 100 000 nodes", () => {
  const length = 100_000;
  const template = makeNode("Neg", ["in0"], ["v0"]);
  const nodes = Array.from({ length }, (_, i) =>
    i === 0 ? template : { ...template, inputs: [`v${i - 1}`], outputs: [`v${i}`] },
  );
  const last = `v${length - 1}`;
  const model = makeModel({ nodes, inputs: [makeValue("in0", 1)], outputs: [makeValue(last)] });
  expect(headOf(model, [last]).nodes.length).toBe(length);
  expect(planTail(model, "v9", [last]).nodes.size).toBe(length - 10);
  expect(bypasses(model, "v9", "v0", [last])).toEqual([]);
});
