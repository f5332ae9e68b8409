import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { UnsupportedError } from "@saestitch/core";
import { describe, expect, test } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { openEngine } from "./open-engine.ts";

const model = fileURLToPath(new URL("../../../fixtures/models/llama-optimum", import.meta.url));

/** What a process of its own prints that runs `script` with the built package and a model in it. */
function runAlone(script: string) {
  const whole = `
    import { openModel } from "@saestitch/models/node";
    const { model } = await openModel(${JSON.stringify(model)}, { threads: 1 });
    const batchOf = (rows, length) => ({
      rows, length, tokenIds: new Int32Array(rows * length).fill(5), lengths: new Int32Array(rows).fill(length),
    });
    const hook = await model.findHook("blocks.2.hook_resid_post");
    ${script}`;
  const { stdout, stderr, status, signal } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", whole],
    { encoding: "utf8", timeout: 60_000, cwd: fileURLToPath(new URL(".", import.meta.url)) },
  );
  return { stdout, stderr, status: status ?? signal };
}

describe("openEngine()", () => {
  test.each(["webgpu", "cuda"] as const)("opens on %s, or says what that needs", async (device) => {
    const engine = await openEngine({ device }).catch((error: unknown) => error);
    if (engine instanceof Error) {
      expect(engine).toBeInstanceOf(UnsupportedError);
      expect(engine.message).toMatch(`Cannot run models on ${device}, which needs `);
    } else {
      expect(engine).toHaveProperty("name", expect.stringContaining(device));
      await (engine as Engine).close();
    }
  });

  test("keeps the process alive while it owes an answer, and no longer", () => {
    // Nothing else holds the process, and nobody closes the model.
    const { stdout, stderr, status } = runAlone(`
      model.activations(hook, batchOf(16, 60)).then(({ rows }) => console.log("rows", rows));`);
    expect([stdout, stderr, status]).toEqual(["rows 960\n", "", 0]);
  });

  test("keeps nothing alive for memory that was handed over before", () => {
    const { stdout, status } = runAlone(`
      import { openEngine } from "./../../dist/node/open-engine.js";
      const engine = await openEngine({ threads: 1 });
      const data = new Float32Array(4);
      structuredClone(data, { transfer: [data.buffer] });
      await engine.load({ bytes: data }).catch(() => console.log("refused"));
      console.log("end");`);
    expect([stdout, status]).toEqual(["refused\nend\n", 0]);
  });

  test.each([0, 5, 40])("lets the process end in the middle of runs, after %d ms", (delay) => {
    const { stdout, stderr, status } = runAlone(`
      for (let i = 0; i < 20; i++) model.activations(hook, batchOf(64, 60)).catch(() => {});
      setTimeout(() => { console.log("leaving"); process.exit(7); }, ${delay});`);
    expect([stdout, stderr, status]).toEqual(["leaving\n", "", 7]);
  });

  test.each([0, 20])("is closed in the middle of runs, after %d ms, once they are done", (delay) => {
    const { stdout, stderr, status } = runAlone(`
      const running = Array.from({ length: 3 }, () => model.activations(hook, batchOf(64, 60)));
      await new Promise((done) => setTimeout(done, ${delay}));
      await model.close();
      console.log((await Promise.all(running)).map(({ rows }) => rows).join());
      await model.activations(hook, batchOf(1, 2)).catch(({ message }) => console.log(message));`);
    expect([stdout, stderr, status]).toEqual([
      "3840,3840,3840\nThe thread that runs the model has ended: it was closed\n",
      "",
      0,
    ]);
  });
});
