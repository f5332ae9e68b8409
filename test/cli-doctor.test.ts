import { describe, expect, test } from "vitest";
import { documentedFields } from "./cli-documented-fields.ts";
import { saestitch } from "./cli-world.ts";

const fieldsOf = (value: object) => Object.keys(value).sort();

describe("doctor", () => {
  test("--json times every engine, says which is in use, and finds their codes the same", async () => {
    const { code, stdout, stderr } = await saestitch("doctor", "--threads", "1", "--json");
    // The GPU's library may say there that it finds no driver.
    expect(stderr).not.toContain("timing");
    expect(code).toBe(0);
    const document = JSON.parse(stdout);
    expect(fieldsOf(document)).toEqual(
      (await documentedFields("What `doctor` prints", "", "doctor-output.md")).sort(),
    );
    expect(document).toMatchObject({ schema: "saestitch.doctor/1", node: process.version, threads: 1 });
    const fields = (await documentedFields("An engine", "", "doctor-output.md")).sort();
    for (const engine of document.engines) expect(fieldsOf(engine)).toEqual(fields);

    const runs = document.engines.filter(({ reason }: { reason: string | null }) => reason === null);
    expect(runs.map(({ engine }: { engine: string }) => engine)).toContain("wasm");
    expect(document.chosen.name).toBe(runs[0].name);
    for (const { agrees, encodeGflops, decodeMegaentries } of runs) {
      expect(agrees).toBe(true);
      expect(encodeGflops).toBeGreaterThan(0);
      expect(decodeMegaentries).toBeGreaterThan(0);
    }
  });

  test("prints machine, kernels in use and speeds", async () => {
    const { code, stdout } = await saestitch("doctor", "--threads", "1", "--quiet");
    expect(code).toBe(0);
    for (const title of ["Machine", "Kernels in use", "Speed"])
      expect(stdout).toMatch(new RegExp(`^${title}`, "m"));
    expect(stdout).toContain("wasm, 1 thread");
    expect(stdout).not.toContain("DIFFER");
  });
});
