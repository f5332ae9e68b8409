import { readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { sha256, startHubServer } from "../../test-support/hub-server.ts";
import {
  commit,
  config,
  failure,
  hashOf,
  home,
  open,
  repos,
  server,
  serveSaes,
  token,
  weights,
} from "../../test-support/served-saes.ts";
import { HubAccessError, HubError, HubNotFoundError, HubUnreachableError } from "./hub-error.ts";

serveSaes();

describe("a hub that refuses", () => {
  test.each([
    ["hf:owner/none", "there is no such model repository", "/api/models/owner/none/revision/main"],
    [
      "hf:owner/hidden",
      "or it is private and HF_TOKEN must be set",
      "/api/models/owner/hidden/revision/main",
    ],
    ["hf:owner/saes/layer_1@v9", 'owner/saes: it has no revision "v9"', "/api/models/owner/saes/revision/v9"],
    [`hf:owner/saes/layer_1@${"a".repeat(40)}`, `it has no revision "${"a".repeat(40)}"`, "/paths-info/aaaa"],
    ["hf:owner/saes/layer_9", 'it has no path "layer_9"', `/owner/saes/tree/${commit}`],
  ])("has no %s", async (address, reason, url) => {
    const error = await failure(open(address));
    expect(error).toBeInstanceOf(HubNotFoundError);
    expect(error.message).toContain(reason);
    expect(error.message).toContain(url);
    expect(await readdir(home)).toEqual([]);
  });

  test("has no such file in the folder", async () => {
    const folder = await open("hf:owner/saes/layer_1");
    for (const name of ["params.npz", "../README.md", "deeper"]) {
      const error = await failure(folder.open(name));
      expect(error).toBeInstanceOf(HubNotFoundError);
      expect(error.message).toBe(`Cannot open ${name} of ${folder.location}: the folder has no such file`);
    }
  });

  test("says where the licence of a gated repository is, without a token and with one that has no access", async () => {
    for (const [value, more] of [
      [undefined, "then set HF_TOKEN;"],
      ["another", "then set HF_TOKEN (the token in use belongs to an account that has no access)"],
    ]) {
      vi.stubEnv("HF_TOKEN", value);
      const error = await failure((await open("hf:owner/gated/layer_1")).open("cfg.json"));
      expect(error).toBeInstanceOf(HubAccessError);
      expect(error.message).toContain(`Accept the licence at ${server.endpoint}/owner/gated, ${more}`);
    }
    expect(server.contents()).toEqual([]);
  });

  test("does not know the token", async () => {
    const error = await failure(open("hf:owner/saes", { token: "hf_unknown" }));
    expect(error).toBeInstanceOf(HubAccessError);
    expect(error.message).toContain("does not know the token in HF_TOKEN");
  });

  test("opens to the token that logging in stored, unless that is not wanted", async () => {
    await writeFile(join(home, "token"), `${token}\n`);
    expect(await hashOf(await open("hf:owner/gated/layer_1"), "cfg.json")).toBe(sha256(config));
    vi.stubEnv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1");
    await failure((await open("hf:owner/gated/layer_1")).open("sae_weights.safetensors"));
    vi.stubEnv("HF_HUB_DISABLE_IMPLICIT_TOKEN", undefined);
    await rename(join(home, "token"), join(home, "another-place"));
    vi.stubEnv("HF_TOKEN_PATH", join(home, "another-place"));
    expect(await hashOf(await open("hf:owner/gated/layer_1"), "sae_weights.safetensors")).toBe(
      sha256(weights),
    );
  });

  test("opens to HF_TOKEN, which is never sent to where the hub redirects", async () => {
    vi.stubEnv("HF_TOKEN", `${token}\n`);
    const folder = await open("hf:owner/gated/layer_1");
    expect(await hashOf(folder, "sae_weights.safetensors")).toBe(sha256(weights));
    expect(await hashOf(folder, "cfg.json")).toBe(sha256(config));
    expect(await (await open("hf:owner/hidden")).list()).toEqual(["README.md"]);
    for (const { toStore, authorization } of server.requests) {
      expect(authorization).toBe(toStore ? undefined : `Bearer ${token}`);
    }
    expect(server.requests.some(({ toStore }) => toStore)).toBe(true);
  });

  test("keeps the token from another host that a listing continues at", async () => {
    const other = await startHubServer(repos);
    server.answer("/tree/", (response) => {
      response.setHeader("Link", `<${other.endpoint}/api/models/owner/saes/tree/main>; rel="next"`);
      response.end("[]");
    });
    await open("hf:owner/saes", { token });
    expect(other.requests.map(({ authorization }) => authorization)).toEqual([undefined]);
    await other.close();
  });

  test("is not there", async () => {
    const gone = server.endpoint;
    await server.close();
    const error = await failure(open("hf:owner/saes"));
    expect(error).toBeInstanceOf(HubUnreachableError);
    expect(error.message).toContain(`Cannot reach ${gone}/api/models/owner/saes`);
    expect(error.message).toContain("ECONNREFUSED");
    expect(error.cause).toBeInstanceOf(Error);
  });

  test.each([503, 429])("is busy (%i), which is tried again", async (status) => {
    let answers = 0;
    const busyTwice: typeof fetch = async (input, init) =>
      answers++ < 2 ? new Response(null, { status }) : fetch(input, init);
    expect((await open("hf:owner/saes", { fetch: busyTwice })).commit).toBe(commit);
    answers = 0;
    const cacheDir = join(home, "empty");
    const error = await failure(open("hf:owner/saes", { fetch: busyTwice, retryDelays: [0], cacheDir }));
    expect(error).toBeInstanceOf(HubUnreachableError);
    expect(error.message).toContain(`answered ${status}`);
  });

  test("answers with a status of no meaning here", async () => {
    const teapot: typeof fetch = async () => new Response(null, { status: 418 });
    const error = await failure(open("hf:owner/saes", { fetch: teapot }));
    expect(error).toBeInstanceOf(HubError);
    expect(error.message).toContain("answered 418");
  });

  test("cannot be named by something that is no address", async () => {
    expect(await failure(open("hf:owner/saes", { endpoint: "huggingface" }))).toBeInstanceOf(HubError);
  });
});
