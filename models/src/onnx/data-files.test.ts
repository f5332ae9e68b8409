import { bytesSource, UnsupportedError } from "@saestitch/core";
import { expect, test } from "vitest";
import { readFixture } from "../../../core/test-support/fixture.ts";
import { dataFiles } from "./data-files.ts";
import { encodeOnnx } from "./encode-onnx.ts";
import type { OnnxModel } from "./onnx-model.ts";
import { readOnnx } from "./read-onnx.ts";
import { relocateData } from "./relocate-data.ts";

async function open(file: string): Promise<OnnxModel> {
  return readOnnx(bytesSource(`folder/${file}`, await readFixture(`onnx/${file}`)));
}

test("dataFiles() names each file with the bytes it must have, those of a node's own graph included", async () => {
  const { length } = await readFixture("onnx/external.onnx.data");
  expect(dataFiles(await open("external.onnx"))).toEqual(new Map([["external.onnx.data", length]]));
  const { offset, length: bytes } = (await open("inline.onnx")).initializers.get("w1")!.data!;
  expect(dataFiles(await open("inline.onnx"))).toEqual(new Map([["inline.onnx", offset + bytes]]));
  expect(dataFiles(await open("functions.onnx"))).toEqual(new Map());
  expect(dataFiles(await open("constants.onnx"))).toEqual(new Map([["constants.bin", 24]]));
});

test("relocateData() changes the file of every initializer and nothing else", async () => {
  const model = await open("external.onnx");
  const moved = relocateData(model, (file) => `blobs/${file}`);
  expect(dataFiles(moved)).toEqual(
    new Map([["blobs/external.onnx.data", dataFiles(model).get("external.onnx.data")]]),
  );
  expect(await readOnnx(bytesSource(model.location, encodeOnnx(moved)))).toEqual(moved);
  const back = relocateData(moved, () => "external.onnx.data");
  expect({ ...back, initializers: undefined }).toEqual({ ...model, initializers: undefined });
  expect(dataFiles(back)).toEqual(dataFiles(model));
  expect(relocateData(model, (file) => file)).toEqual(model);
});

test("relocateData() refuses to move values that belong to a node", async () => {
  const model = await open("constants.onnx");
  expect(() => relocateData(model, () => "elsewhere")).toThrow(UnsupportedError);
  expect(relocateData(model, (file) => file)).toEqual(model);
});
