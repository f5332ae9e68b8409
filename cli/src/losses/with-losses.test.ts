import { activationsInMemory, matrix, UnsupportedError } from "@saestitch/core";
import type { Splice } from "@saestitch/models";
import { describe, expect, test } from "vitest";
import type { ModelReading } from "../inputs/model-reading.ts";
import type { Inputs } from "../inputs/open-inputs.ts";
import type { ReadingOptions } from "../inputs/sample-options.ts";
import { InterruptedError } from "../interruption.ts";
import { withLosses } from "./with-losses.ts";

const options = (noLoss: boolean) =>
  ({ "no-loss": noLoss, "loss-tokens": undefined, "batch-tokens": 64 }) as unknown as ReadingOptions & {
    readonly "no-loss": boolean;
    readonly "loss-tokens": undefined;
  };

/** A sample of one window, read out of a model that is cut by `splice`. */
function inputsWith(splice: () => Promise<Splice>): Inputs {
  const hook = { tensor: "x", shape: ["batch·sequence", 2], d: 2 };
  const window = {
    tokenIds: Int32Array.of(1, 2),
    documentIds: new Int32Array(2),
    excluded: new Uint8Array(2),
  };
  const reading = {
    model: { location: "m", engine: "none", splice },
    hook,
    processing: { centred: false },
    windows: [window],
    text: "t",
  } as unknown as ModelReading;
  const source = activationsInMemory(matrix(2, 2, new Float32Array(4)));
  const startProgress = () => ({ update: () => {}, end: () => {} });
  const sample = { source, reading, excludedTokens: [], rows: 2, location: "t" };
  return { sample, startProgress } as unknown as Inputs;
}

/** A cut whose batches are never begun, and whether it is closed. */
function spliceThatFails() {
  const state = { closed: 0 };
  const splice = {
    begin: () => Promise.reject(new Error("broken")),
    close: async () => {
      state.closed++;
    },
  } as unknown as Splice;
  return { state, open: async () => splice };
}

describe("withLosses()", () => {
  test("gives no meter where losses are not wanted, and cuts nothing", async () => {
    const inputs = inputsWith(() => Promise.reject(new Error("cut")));
    expect(await withLosses(inputs, options(true), async (losses) => losses === undefined)).toBe(true);
  });

  test("refuses a model that cannot be cut before any work is done, and says how to go on", async () => {
    const inputs = inputsWith(() => Promise.reject(new UnsupportedError("Cannot replace x")));
    let worked = false;
    const work = async () => {
      worked = true;
    };
    await expect(withLosses(inputs, options(false), work)).rejects.toThrow(
      "Cannot replace x. With --no-loss everything but losses is measured",
    );
    expect(worked).toBe(false);
  });

  test("closes what it cut, also when the work fails", async () => {
    const { state, open } = spliceThatFails();
    const failing = withLosses(inputsWith(open), options(false), () => Promise.reject(new Error("no")));
    await expect(failing).rejects.toThrow("no");
    expect(state.closed).toBe(1);
  });

  test("tells an interruption from a failure", async () => {
    for (const [signal, kind] of [
      [AbortSignal.abort(), InterruptedError],
      [new AbortController().signal, Error],
    ] as const) {
      const { open } = spliceThatFails();
      const measuring = withLosses(inputsWith(open), options(false), (losses) =>
        losses!.measure([], { mean: new Float64Array(2), signal }),
      );
      await expect(measuring).rejects.toThrow(kind);
      await expect(measuring).rejects.toThrow(kind === Error ? "broken" : "no losses were kept");
    }
  });
});
