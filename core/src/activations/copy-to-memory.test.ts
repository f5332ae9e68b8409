import { expect, test } from "vitest";
import { ShapeError } from "../errors.ts";
import { matrix } from "../tensor/matrix.ts";
import { collectRows, describeActivationSource } from "./activation-source.conformance.ts";
import { copyToMemory } from "./copy-to-memory.ts";
import { activationsInMemory } from "./in-memory.ts";

const values = Float32Array.from({ length: 14 }, (_, at) => at / 4);
const source = activationsInMemory(matrix(7, 2, values), {
  documentIds: Int32Array.of(0, 0, 0, 1, 1, 2, 2),
  tokenIds: Int32Array.of(1, 5, 6, 1, 7, 1, 8),
  excluded: Uint8Array.of(1, 0, 0, 1, 0, 1, 0),
});

describeActivationSource("copyToMemory()", () => copyToMemory(source));

test("copyToMemory() gives the rows asked for, with their ids and mask, whatever batches they came in", async () => {
  const part = await copyToMemory(source, { start: 2, end: 6, batchRows: 3, location: "a part" });
  expect([part.location, part.rows, part.d]).toEqual(["a part", 4, 2]);
  expect(await collectRows(part)).toEqual(await collectRows(source, { start: 2, end: 6 }));
});

test("copyToMemory() knows no ids and no mask where the source knows none", async () => {
  const bare = activationsInMemory(matrix(7, 2, values), { location: "bare" });
  const copy = await copyToMemory(bare);
  expect(copy.location).toBe("bare");
  expect(await collectRows(copy)).toEqual(await collectRows(bare));
  await expect(copyToMemory(bare, { end: 8 })).rejects.toThrow(ShapeError);
});
