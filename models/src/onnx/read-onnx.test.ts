import { type ByteSource, bytesSource, FormatError, UnsupportedError } from "@saestitch/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readFixture } from "../../../core/test-support/fixture.ts";
import { encodeOnnx } from "./encode-onnx.ts";
import { makeModel } from "./make-model.ts";
import { makeNode } from "./make-node.ts";
import { makeFloatTensor } from "./make-tensor.ts";
import { makeValue } from "./make-value.ts";
import type { OnnxModel } from "./onnx-model.ts";
import { readOnnx } from "./read-onnx.ts";
import { joinBytes, writeMessage } from "./write-message.ts";

const golden = JSON.parse(new TextDecoder().decode(await readFixture("onnx/expected.json"))).models as Record<
  string,
  { readonly nodes: readonly { readonly name: string }[] }
>;
const files = Object.keys(golden);

async function open(file: string): Promise<OnnxModel> {
  return readOnnx(bytesSource(`folder/${file}`, await readFixture(`onnx/${file}`)));
}

function readBytes(bytes: Uint8Array): Promise<OnnxModel> {
  return readOnnx(bytesSource("folder/model.onnx", bytes));
}

function readText(text: string): Promise<OnnxModel> {
  return readBytes(new TextEncoder().encode(text));
}

/** A model in the form that the generator writes. */
function plain({ opset, nodes, initializers, inputs, outputs, values }: OnnxModel): unknown {
  return {
    opset,
    nodes: nodes.map(({ bytes, attributes, captured, inner, ...node }) => ({
      ...node,
      captured: captured.toSorted(),
      inner: inner.toSorted(),
      attributes: Object.fromEntries(attributes),
    })),
    initializers: Array.from(initializers.values(), ({ bytes, ...tensor }) => ({ data: null, ...tensor })),
    inputs: inputs.map(({ bytes, ...value }) => value),
    outputs: outputs.map(({ bytes, ...value }) => value),
    values: Array.from(values.values(), ({ bytes, ...value }) => value),
  };
}

test.each(files.filter((file) => file !== "unordered.onnx"))(
  "readOnnx() reads %s as onnx does",
  async (file) => {
    expect(plain(await open(file))).toEqual(golden[file]);
  },
);

test("readOnnx() puts nodes in an order in which they can be run", async () => {
  const { nodes } = await open("unordered.onnx");
  expect(nodes.map(({ name }) => name)).toEqual(["first", "second", "third", "fourth"]);
  expect(golden["unordered.onnx"].nodes[0].name).toBe("third");
});

test.each(files)("encodeOnnx() of %s is read back as an equal value", async (file) => {
  const model = await open(file);
  expect(await readOnnx(bytesSource(model.location, encodeOnnx(model)))).toEqual(model);
});

test("readOnnx() reads none of the large raw values", async () => {
  const values = Float32Array.from({ length: 100_000 }, (_, i) => i);
  const model = makeModel({
    nodes: [makeNode("Add", ["x", "w"], ["y"])],
    initializers: [makeFloatTensor("w", [values.length], values)],
    inputs: [makeValue("x", 1, [values.length])],
    outputs: [makeValue("y", 1, [values.length])],
  });
  const bytes = encodeOnnx(model);
  const source = bytesSource("folder/model.onnx", bytes);
  const read: number[] = [];
  const counting: ByteSource = {
    ...source,
    read: (start, end) => {
      read.push(end - start);
      return source.read(start, end);
    },
  };
  const w = (await readOnnx(counting)).initializers.get("w")!;
  expect(w.bytes.length).toBeLessThan(200);
  expect(w.data).toMatchObject({ file: "model.onnx", length: values.byteLength });
  const { offset, length } = w.data!;
  const written = new Float32Array(bytes.slice(offset, offset + length).buffer);
  expect(written.length).toBe(values.length);
  expect(written.every((value, i) => value === values[i])).toBe(true);
  expect(read.reduce((a, b) => a + b)).toBeLessThan(bytes.length);
  const whole = (await readOnnx(source, { inlineLimit: bytes.length })).initializers.get("w")!;
  expect(whole.data).toBeUndefined();
  expect(whole.bytes.length).toBeGreaterThan(values.byteLength);
});

test.each([
  ["", "folder/model.onnx is empty, expected an ONNX model"],
  ["version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "looks like a Git LFS pointer"],
  ["<!DOCTYPE html><html><body>Not found</body></html>", "looks like a web page"],
  ['\x40\0\0\0\0\0\0\0{"a":{}}', "looks like a safetensors file"],
  ["PK\x03\x04\x14\0\0\0", "looks like a zip archive"],
  ["GGUF\x03\0\0\0", "looks like a GGUF file"],
  ['{"architectures": []}', "looks like JSON"],
  ["Once upon a time there was a model.", "looks like plain text"],
  ["\0\0\0\0", "field numbered 0"],
  ["\x08\x09", "has no graph"],
])("readOnnx() says what %j looks like instead", async (text, message) => {
  await expect(readText(text)).rejects.toThrow(FormatError);
  await expect(readText(text)).rejects.toThrow(message);
});

test("readOnnx() asks whether the download is complete when a file ends early", async () => {
  const bytes = await readFixture("onnx/inline.onnx");
  await expect(readBytes(bytes.subarray(0, 6000))).rejects.toThrow(
    /folder\/model\.onnx ends within field 7, which has \d+ bytes, of which \d+ are there; is the download complete\?/,
  );
});

/** A field with a message in it. */
function field(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return writeMessage((writer) => writer.writeBytesField(number, joinBytes(parts)));
}

function text(number: number, value: string): Uint8Array {
  return field(number, new TextEncoder().encode(value));
}

function integer(number: number, value: number): Uint8Array {
  return writeMessage((writer) => writer.writeVarintField(number, value));
}

const opset = field(8, integer(2, 17));
const identity = field(1, text(1, "x"), text(2, "y"), text(4, "Identity"));
const input = field(11, text(1, "x"));
const output = field(12, text(1, "y"));

/** A model of one Identity node with more in its graph. */
function withInGraph(...parts: readonly Uint8Array[]): Uint8Array {
  return joinBytes([opset, field(7, identity, input, output, ...parts)]);
}

function entry(key: string, value: string): Uint8Array {
  return field(13, text(1, key), text(2, value));
}

function externalTensor(...entries: readonly Uint8Array[]): Uint8Array {
  return field(5, integer(1, 3), integer(2, 1), text(8, "w"), ...entries, integer(14, 1));
}

test.each([
  "/etc/passwd",
  "../w",
  "a/../../w",
  "..\\w",
  "C:\\w",
  "\\\\host\\w",
  "",
  "*/_ORT_MEM_ADDR_/*",
  "a\0b",
])("readOnnx() refuses data in the file %j", async (path) => {
  const outside = withInGraph(externalTensor(entry("location", path)));
  await expect(readBytes(outside)).rejects.toThrow("expected a file in the model's folder");
  const inNode = field(
    1,
    text(2, "c"),
    text(4, "Constant"),
    field(5, text(1, "value"), field(5, integer(14, 1), entry("location", path))),
  );
  await expect(readBytes(withInGraph(inNode))).rejects.toThrow(FormatError);
});

test("readOnnx() takes length and offset of external data from shape and type where they are not stated", async () => {
  const { initializers } = await readBytes(withInGraph(externalTensor(entry("location", "a/w.bin"))));
  expect(initializers.get("w")?.data).toEqual({ file: "a/w.bin", offset: 0, length: 12 });
});

test.each([
  ["two nodes that make a value", withInGraph(identity), 'makes the value "y" twice'],
  [
    "a value that nothing makes",
    withInGraph(field(1, text(1, "z"), text(2, "w"))),
    'reads "z", which nothing',
  ],
  ["an output that nothing makes", withInGraph(field(12, text(1, "z"))), 'has the output "z", which nothing'],
  [
    "a circle",
    withInGraph(field(1, text(1, "b"), text(2, "a")), field(1, text(1, "a"), text(2, "b"))),
    "goes in a circle",
  ],
  ["inputs of one name", withInGraph(input), 'two values named "x"'],
  ["a text that is not UTF-8", withInGraph(field(1, field(1, new Uint8Array([0xff])))), "not UTF-8"],
  ["no opset", field(7, identity, input, output), "does not state its version of the operators"],
  ["an opset of 0", joinBytes([field(8), field(7, identity, input, output)]), "states the version 0"],
  [
    "a shape too large",
    withInGraph(field(5, integer(1, 2 ** 40), integer(1, 2 ** 40), text(8, "w"))),
    "more than 2^53 - 1 elements",
  ],
  ["a negative size", withInGraph(field(5, integer(1, -1), text(8, "w"))), "has the size -1 in its shape"],
  [
    "too few values",
    withInGraph(field(5, integer(1, 3), integer(2, 1), text(8, "w"), field(9, new Uint8Array(8)))),
    'named "w" has 8 bytes of values, expected 12',
  ],
  ["an initializer without a name", withInGraph(field(5, integer(2, 1))), "has no name"],
  [
    "external data of another length",
    withInGraph(externalTensor(entry("location", "w"), entry("length", "8"))),
    "has 8 bytes in another file, expected 12",
  ],
  [
    "external data at no place",
    withInGraph(externalTensor(entry("location", "w"), entry("offset", "-1"))),
    'the offset "-1", expected an integer',
  ],
  [
    "a field that leaves its message",
    withInGraph(field(1, new Uint8Array([0x0a, 0x05, 0x61]))),
    "a length of 5 bytes, but only 1 are left",
  ],
  ["a name that is a number", withInGraph(field(1, integer(1, 5))), "in wire type 0, expected 2"],
])("readOnnx() refuses a graph with %s", async (_, bytes, message) => {
  await expect(readBytes(bytes)).rejects.toThrow(FormatError);
  await expect(readBytes(bytes)).rejects.toThrow(message);
});

test("readOnnx() refuses sparse initializers", async () => {
  await expect(readBytes(withInGraph(field(15)))).rejects.toThrow(UnsupportedError);
});

test("readOnnx() refuses graphs nested without end", async () => {
  let node = field(1, text(2, "a"));
  for (let depth = 0; depth < 33; depth++) node = field(1, text(2, "a"), field(5, field(6, node)));
  await expect(readBytes(withInGraph(node))).rejects.toThrow("nests graphs more than 32 deep");
});

/** Reads it, or refuses it with an error of ours; never reads far more than there is. */
async function readOrRefuse(bytes: Uint8Array): Promise<void> {
  const source = bytesSource("mutated", bytes);
  let left = 50 * (bytes.length + 1000);
  const bounded: ByteSource = {
    ...source,
    read(start, end) {
      left -= Math.max(1, end - start);
      if (left < 0) throw new Error("Far more was read than the file holds");
      return source.read(start, end);
    },
  };
  let model: OnnxModel;
  try {
    model = await readOnnx(bounded, { inlineLimit: 16 });
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof UnsupportedError)) throw error;
    expect(error.message).toContain("mutated");
    return;
  }
  const again = await readOnnx(bytesSource("mutated", encodeOnnx(model)), { inlineLimit: 1e9 });
  expect(again).toEqual(model);
}

const small = [
  "subgraphs.onnx",
  "every-attribute.onnx",
  "functions.onnx",
  "listed-inputs.onnx",
  "external.onnx",
];

test.each(small)("%s cut at any byte is read or refused", async (file) => {
  const bytes = await readFixture(`onnx/${file}`);
  for (let length = 0; length < bytes.length; length++) await readOrRefuse(bytes.subarray(0, length));
});

test("a mutated ONNX file is read or refused", async () => {
  const originals = await Promise.all(
    [...small, "every-type.onnx"].map((file) => readFixture(`onnx/${file}`)),
  );
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    value: fc.nat(255),
    drop: fc.nat(2),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...originals),
      fc.array(change, { minLength: 1, maxLength: 4 }),
      async (original, changes) => {
        let bytes: Uint8Array = original;
        for (const { at, value, drop } of changes) {
          const place = Math.min(bytes.length - 1, Math.floor(at * bytes.length));
          // Replaced, inserted, or put in the place of two.
          bytes = joinBytes([bytes.subarray(0, place), Uint8Array.of(value), bytes.subarray(place + drop)]);
        }
        await readOrRefuse(bytes);
      },
    ),
    { numRuns: 3000 },
  );
});
