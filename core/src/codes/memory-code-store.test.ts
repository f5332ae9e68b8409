import { describe, expect, test } from "vitest";
import { randomCode } from "../kernels/random-arguments.conformance.ts";
import { seededRandom } from "../linalg/random.ts";
import { codeStoreConformance } from "./code-store.conformance.ts";
import { memoryCodeStore } from "./memory-code-store.ts";

describe("conformance", () => codeStoreConformance(memoryCodeStore));

test("memoryCodeStore() keeps the very code it is given, and counts its bytes", async () => {
  const store = memoryCodeStore();
  const code = randomCode(seededRandom(1), 5, 30);
  const stretch = { start: 0, end: 5 };
  expect(await store.write(stretch, code)).toBe(code);
  expect(await store.read(stretch)).toBe(code);
  expect([store.location, store.bytes]).toEqual(["memory", 4 * 6 + 8 * code.indices.length]);
});
