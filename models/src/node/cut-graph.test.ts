import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type FileSource, openFile } from "@saestitch/core/node";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { dataFiles } from "../onnx/data-files.ts";
import { encodeOnnx } from "../onnx/encode-onnx.ts";
import { headOf } from "../onnx/head-of.ts";
import type { OnnxModel, OnnxValue } from "../onnx/onnx-model.ts";
import { readOnnx } from "../onnx/read-onnx.ts";
import { planTail, tailModel } from "../onnx/tail-of.ts";
import { unfuseSkipNorms } from "../onnx/unfuse-skip-norms.ts";

const folder = fileURLToPath(new URL("../../../fixtures/models/", import.meta.url));
const exports = readdirSync(folder).filter((name) => existsSync(`${folder}${name}/model.onnx`));

/** `TensorProto.DataType` by ONNX Runtime's names. */
const codes = new Map(
  Object.entries({ float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10, float64: 11 }),
);

const sizes: Readonly<Record<string, number>> = {
  batch_size: 2,
  sequence_length: 5,
  past_sequence_length: 0,
};

/** What the model reads: five tokens in each of two rows, the last two of the second row padding. */
function feedOf({ name, elementType, shape = [] }: OnnxValue): Tensor {
  const dims = shape.map((axis) => (typeof axis === "number" ? axis : (sizes[axis] ?? 5)));
  const count = dims.reduce((a, b) => a * b, 1);
  if (elementType === 1) return new Tensor("float32", new Float32Array(count), dims);
  if (elementType === 10) return new Tensor("float16", new Uint16Array(count), dims);
  const value = (i: number) => {
    if (name === "attention_mask") return i < 8 ? 1 : 0;
    return name === "position_ids" ? i % 5 : 3 + ((i * 7) % 90);
  };
  return new Tensor(
    "int64",
    BigInt64Array.from({ length: count }, (_, i) => BigInt(value(i))),
    dims,
  );
}

async function load(model: OnnxModel, name: string): Promise<InferenceSession> {
  return InferenceSession.create(encodeOnnx(model), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
    extra: { session: { model_external_initializers_file_folder_path: `${folder}${name}` } },
  });
}

async function run(
  session: InferenceSession,
  given: Readonly<Record<string, Tensor>>,
): Promise<InferenceSession.OnnxValueMapType> {
  const feeds = Object.fromEntries(session.inputNames.map((name) => [name, given[name]]));
  return session.run(feeds);
}

function numbers(tensor: unknown): number[] {
  const { type, data } = tensor as Tensor;
  return Array.from(data as Uint16Array | Float32Array, (value) =>
    type === "float16" ? fromFloat16(value) : value,
  );
}

function fromFloat16(bits: number): number {
  const fraction = bits & 0x3ff;
  const exponent = (bits >> 10) & 0x1f;
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0);
}

/** Values all over the model that it can be cut at. */
function someCuts(model: OnnxModel, count: number): string[] {
  const possible = model.nodes.flatMap(({ outputs }) =>
    outputs.filter((output) => {
      try {
        planTail(model, output, ["logits"]);
        return true;
      } catch {
        return false;
      }
    }),
  );
  return Array.from({ length: count }, (_, i) => possible[Math.floor(((i + 0.5) * possible.length) / count)]);
}

async function read(name: string): Promise<OnnxModel> {
  const source: FileSource = await openFile(`${folder}${name}/model.onnx`);
  try {
    return await readOnnx(source);
  } finally {
    await source.close();
  }
}

test.for(exports)(
  "headOf() and tailModel() of %s together give the logits of the whole",
  async (name, { skip }) => {
    const original = await read(name);
    const absent = [...dataFiles(original).keys()].find((file) => !existsSync(`${folder}${name}/${file}`));
    if (absent !== undefined) return skip(`${absent} is not there`);
    const model = unfuseSkipNorms(original);
    const given = Object.fromEntries(model.inputs.map((input) => [input.name, feedOf(input)]));
    const tolerance = name.includes("fp16") ? 2e-2 : 1e-5;
    const session = await InferenceSession.create(`${folder}${name}/model.onnx`, { intraOpNumThreads: 1 });
    const logits = numbers((await run(session, given)).logits);
    await session.release();
    expect(new Set(logits).size).toBeGreaterThan(100);

    for (const cut of someCuts(model, 6)) {
      const plan = planTail(model, cut, ["logits"]);
      const head = await load(headOf(model, [cut, ...plan.crossing]), name);
      const types = new Map(
        head.outputMetadata.map((value) => [value.name, value.isTensor ? codes.get(value.type)! : 0]),
      );
      const tail = await load(tailModel(model, plan, types), name);
      expect(tail.inputNames.toSorted()).toEqual([cut, ...plan.crossing, ...plan.inputs].toSorted());
      const before = (await run(head, given)) as Record<string, Tensor>;
      const after = await run(tail, { ...given, ...before });
      expect(largestDifference(numbers(after.logits), logits)).toBeLessThanOrEqual(tolerance);
      await head.release();
      await tail.release();
    }
  },
);
