import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { breakAfter, type HubServer, sha256, startHubServer } from "../../test-support/hub-server.ts";
import { downloadBlob } from "./hub-download.ts";
import type { HubConnection } from "./hub-request.ts";

const content = randomBytes(200_000);
const blob = { id: sha256(content), size: content.length };
const commit = "0123456789abcdef0123456789abcdef01234567";
const host = hostname()
  .replaceAll(/[^\w.]/g, "_")
  .slice(0, 60);

let server: HubServer;
let folder: string;
let connection: HubConnection;

beforeEach(async () => {
  server = await startHubServer({
    "owner/saes": { refs: { main: commit }, files: { "params.npz": { content, large: true } } },
  });
  folder = await mkdtemp(join(tmpdir(), "hub-"));
  connection = {
    endpoint: server.endpoint,
    kind: "model",
    repo: "owner/saes",
    revision: commit,
    token: undefined,
    offline: false,
    fetch,
    retryDelays: [],
  };
});

afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

async function download(): Promise<void> {
  const url = `${server.endpoint}/owner/saes/resolve/${commit}/params.npz`;
  await downloadBlob("params.npz", url, blob, join(folder, blob.id), connection, () => {});
}

/** The id of a process that has ended. */
function deadProcess(): number {
  return spawnSync(process.execPath, ["-e", ""]).pid;
}

describe("downloadBlob()", () => {
  test("continues what a process that has ended left behind, the longest of it", async () => {
    const dead = deadProcess();
    await writeFile(join(folder, `${blob.id}.${host}-${dead}-00000000.incomplete`), content.subarray(0, 10));
    await writeFile(
      join(folder, `${blob.id}.${host}-${dead}-11111111.incomplete`),
      content.subarray(0, 5000),
    );
    await writeFile(join(folder, `${blob.id}.incomplete`), content.subarray(0, 20));
    await download();
    expect(server.contents().map(({ range }) => range)).toEqual(["bytes=5000-"]);
    expect((await readFile(join(folder, blob.id))).equals(content)).toBe(true);
  });

  test.each([
    ["a running process of this machine", `${host}-${process.pid}-00000000`],
    ["another machine", "elsewhere-1-00000000"],
    ["another program", "1a2b3c4d"],
  ])("leaves alone what %s may be writing", async (_, owner) => {
    const name = `${blob.id}.${owner}.incomplete`;
    await writeFile(join(folder, name), content.subarray(0, 5000));
    await download();
    expect(server.contents().map(({ range }) => range)).toEqual([undefined]);
    expect((await readdir(folder)).sort()).toEqual([blob.id, name].sort());
    expect((await readFile(join(folder, name))).length).toBe(5000);
  });

  test("takes over what nobody has written to for long", async () => {
    const path = join(folder, `${blob.id}.elsewhere-1-00000000.incomplete`);
    await writeFile(path, content.subarray(0, 5000));
    await utimes(path, new Date(), new Date(Date.now() - 24 * 3600_000));
    await download();
    expect(server.contents().map(({ range }) => range)).toEqual(["bytes=5000-"]);
    expect(await readdir(folder)).toEqual([blob.id]);
  });

  test("continues after the process was killed in the middle of it", async () => {
    const bundle = await mkdtemp(
      join(fileURLToPath(new URL("../../", import.meta.url)), "node_modules-hub-"),
    );
    try {
      await build({
        logLevel: "error",
        configFile: false,
        build: {
          ssr: fileURLToPath(new URL("hub-download.ts", import.meta.url)),
          outDir: bundle,
          minify: false,
          rolldownOptions: { output: { entryFileNames: "download.mjs" } },
        },
      });
      const url = `${server.endpoint}/owner/saes/resolve/${commit}/params.npz`;
      const script = `
        import { downloadBlob } from "./download.mjs";
        const connection = { ...${JSON.stringify(connection)}, fetch };
        const args = ["params.npz", "${url}", ${JSON.stringify(blob)}, ${JSON.stringify(join(folder, blob.id))}];
        await downloadBlob(...args, connection, ({ received }) => {
          if (received >= 70000) process.kill(process.pid, "SIGKILL");
        });`;
      await writeFile(join(bundle, "main.mjs"), script);
      server.fail("params.npz", breakAfter(70_000, new Promise(() => {})));
      const [, signal] = await once(
        spawn(process.execPath, [join(bundle, "main.mjs")], { stdio: "inherit" }),
        "exit",
      );
      expect(signal).toBe("SIGKILL");
      expect(await readdir(folder)).toEqual([expect.stringMatching(/\.incomplete$/)]);
    } finally {
      await rm(bundle, { recursive: true });
    }
    await download();
    expect(server.contents().map(({ range, bytes }) => [range, bytes])).toEqual([
      [undefined, 70_000],
      ["bytes=70000-", 130_000],
    ]);
    expect((await readFile(join(folder, blob.id))).equals(content)).toBe(true);
    expect(await readdir(folder)).toEqual([blob.id]);
  });
});
