import { Uint8ArrayReader, Uint8ArrayWriter, ZipReader } from "@zip.js/zip.js";
import { expect, test } from "vitest";
import { whole } from "../../test-support/whole.ts";
import { ShapeError } from "../errors.ts";
import { encodeTorch, type TorchTensorToWrite } from "./encode-torch.ts";

const tensors: readonly TorchTensorToWrite[] = [
  { name: "W", dtype: "F32", shape: [2, 3], values: Float32Array.of(1, -2, 3.5, 4, 5, 6) },
  { name: "größe", dtype: "F32", shape: [], values: Float32Array.of(7) },
];

async function unzipped(archive: Uint8Array<ArrayBuffer>): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (const entry of await new ZipReader(new Uint8ArrayReader(archive)).getEntries())
    if (!entry.directory)
      files[entry.filename] = await entry.getData(new Uint8ArrayWriter(), { useWebWorkers: false });
  return files;
}

test("encodeTorch() writes the records that torch.load asks for", async () => {
  const files = await unzipped(await whole(encodeTorch(tensors)));
  const text = (name: string) => new TextDecoder().decode(files[`archive/${name}`]);
  expect(Object.keys(files).sort()).toEqual(
    ["byteorder", "data.pkl", "data/0", "data/1", "version"].map((name) => `archive/${name}`),
  );
  expect([text("version"), text("byteorder")]).toEqual(["3\n", "little"]);
  expect(new Float32Array(Uint8Array.from(files["archive/data/0"]).buffer)).toEqual(tensors[0].values);
  expect(new Float32Array(Uint8Array.from(files["archive/data/1"]).buffer)).toEqual(tensors[1].values);
});

test("the pickle of encodeTorch() states name, storage, length, shape and strides of each tensor", async () => {
  const files = await unzipped(await whole(encodeTorch(tensors)));
  const text = (value: string) => {
    const utf8 = new TextEncoder().encode(value);
    return [0x58, utf8.length, 0, 0, 0, ...utf8];
  };
  const code = (value: string) => [...new TextEncoder().encode(value)];
  const int = (value: number) => [0x4a, value, 0, 0, 0];
  const tensor = (name: string, key: string, length: number, shape: number[], strides: number[]) => [
    ...text(name),
    ...code("ctorch._utils\n_rebuild_tensor_v2\n(("),
    ...text("storage"),
    ...code("ctorch\nFloatStorage\n"),
    ...text(key),
    ...text("cpu"),
    ...int(length),
    ...code("tQ"),
    ...int(0),
    ...code("("),
    ...shape.flatMap(int),
    ...code("t("),
    ...strides.flatMap(int),
    ...code("t"),
    0x89,
    ...code("ccollections\nOrderedDict\n)RtR"),
  ];
  expect([...files["archive/data.pkl"]]).toEqual([
    0x80,
    2,
    ...code("ccollections\nOrderedDict\n)R("),
    ...tensor("W", "0", 6, [2, 3], [3, 1]),
    ...tensor("größe", "1", 1, [], []),
    ...code("u."),
  ]);
});

test("encodeTorch() writes numbers beyond 31 bits in eight bytes", async () => {
  const length = 3 * 2 ** 30;
  const values = { length, pieces: () => [] };
  const chunks = encodeTorch([{ name: "W", dtype: "F32", shape: [length], values }]);
  for await (const chunk of chunks) {
    const at = chunk.findIndex((byte, i) => byte === 0x8a && chunk[i + 1] === 8);
    if (at < 0) continue;
    expect([...chunk.subarray(at + 2, at + 10)]).toEqual([0, 0, 0, 0xc0, 0, 0, 0, 0]);
    return;
  }
  expect.unreachable("no such number");
});

test("encodeTorch() refuses one name twice", () => {
  expect(() => encodeTorch([tensors[0], tensors[0]])).toThrow(ShapeError);
});
