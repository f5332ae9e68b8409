import { seededRandom } from "@saestitch/core";
import { expect, test } from "vitest";
import {
  collectRows,
  describeActivationSource,
} from "../../../core/src/activations/activation-source.conformance.ts";
import { collect } from "../../../core/test-support/collect.ts";
import { numberDocuments, numberTokenizer } from "../../test-support/number-tokenizer.ts";
import { plainActivations, prefixModel } from "../../test-support/prefix-model.ts";
import { tokenWindows } from "../tokens/token-windows.ts";
import { modelActivations } from "./model-activations.ts";

const random = seededRandom(5);
const documents = Array.from({ length: 9 }, () =>
  Array.from({ length: 1 + Math.floor(9 * random()) }, () => 1 + Math.floor(90 * random())),
);
const windowsOf = (arrangement: "documents" | "packed") =>
  collect(tokenWindows(numberDocuments(documents), numberTokenizer, { arrangement, context: 6, bos: true }));
const sizes = { batchTokens: 16, lookAhead: 3 };

describeActivationSource("modelActivations()", async () => {
  const model = prefixModel();
  return modelActivations(model, model.hook, await windowsOf("documents"), sizes);
});

test.each(["documents", "packed"] as const)(
  "modelActivations() of %s has the tokens of the windows as rows, with their documents",
  async (arrangement) => {
    const model = prefixModel();
    const windows = await windowsOf(arrangement);
    const rows = await collectRows(modelActivations(model, model.hook, windows, sizes), { batchRows: 10 });
    expect([...rows.activations]).toEqual(
      windows.flatMap(({ tokenIds }) => plainActivations(tokenIds, 3).flat()),
    );
    expect([...rows.tokenIds!]).toEqual(windows.flatMap(({ tokenIds }) => [...tokenIds]));
    expect([...rows.documentIds!]).toEqual(windows.flatMap(({ documentIds }) => [...documentIds]));
    expect([...rows.excluded!]).toEqual(windows.flatMap(({ excluded }) => [...excluded]));
    expect([...rows.excluded!]).toEqual([...rows.tokenIds!].map((token) => (token === 0 ? 1 : 0)));
  },
);

test("modelActivations() of packed windows tells their documents apart", async () => {
  const windows = await windowsOf("packed");
  expect(windows.some(({ documentIds }) => documentIds[0] !== documentIds.at(-1))).toBe(true);
});

test("modelActivations() runs only what the rows asked for need", async () => {
  const model = prefixModel();
  const windows = await windowsOf("documents");
  const source = modelActivations(model, model.hook, windows, sizes);
  await collectRows(source, { start: 20, end: 22 });
  expect(model.batches.length).toBeLessThanOrEqual(2);
  expect(source.location).toBe("blocks.0.hook_resid_post of a plain model");
});
