import { expect, test } from "vitest";
import { randomMatrix } from "../../test-support/random-saes.ts";
import { seededRandom } from "../linalg/random.ts";
import { zeros } from "../tensor/matrix.ts";
import { describeActivationSource } from "./activation-source.conformance.ts";
import { activationsInMemory } from "./in-memory.ts";

const ids = Int32Array.from({ length: 23 }, (_, i) => i >> 2);

describeActivationSource("activationsInMemory()", () =>
  activationsInMemory(randomMatrix(seededRandom(1), 23, 3), {
    documentIds: ids,
    tokenIds: ids.map((id) => id * 7),
    excluded: Uint8Array.from(ids, (id) => id % 2),
  }),
);

test("activationsInMemory() refuses ids that are not one per row", () => {
  expect(() => activationsInMemory(zeros(22, 3), { documentIds: ids })).toThrow(
    /documentIds has 23 values for 22 rows/,
  );
});
