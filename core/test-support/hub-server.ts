import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

type ServedFiles = Readonly<Record<string, { readonly content: Uint8Array; readonly large?: boolean }>>;

/** A repository as a test wants it. */
export interface ServedRepo {
  /** Commit hashes by branch or tag. */
  readonly refs: Readonly<Record<string, string>>;
  /** Contents by path; those of large files lie on another host, as they do on the hub. */
  readonly files: ServedFiles;
  /** Contents of commits that have others. */
  readonly otherFiles?: Readonly<Record<string, ServedFiles>>;
  /** Names are told to everyone, contents to the server's token alone. */
  readonly gated?: boolean;
  /** Not even its name is told without the server's token. */
  readonly private?: boolean;
}

/** A request as the server saw it. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query, the path decoded. */
  readonly path: string;
  /** Whether it went to the host of the large files. */
  readonly toStore: boolean;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  /** Bytes of the body that were handed to the connection. */
  bytes: number;
}

/** Answers a request for a file's content in place of the server; the response must be ended or destroyed. */
export type Fault = (response: ServerResponse, content: Uint8Array, start: number, end: number) => void;

/** A hub on the loopback interface. */
export interface HubServer {
  readonly endpoint: string;
  readonly requests: SeenRequest[];
  /** The contents sent so far: requests that had bytes of a file as their answer. */
  contents(): SeenRequest[];
  /** Answer the next requests for a file's content with these, one each. */
  fail(path: string, ...faults: Fault[]): void;
  /** Answer every request, of whatever kind, whose path includes `part` with this. */
  answer(part: string, answer: (response: ServerResponse) => void): void;
  close(): Promise<void>;
}

/** Break the connection after `length` bytes of the answer, once they are known to have arrived. */
export function breakAfter(length: number, arrived: Promise<void>): Fault {
  return (response, content, start, end) => {
    sendRange(response, content, { start, end }, () =>
      response.write(content.subarray(start, start + length)),
    );
    void arrived.then(() => response.socket?.destroy());
  };
}

/** The hash by which the hub names a small file. */
export function gitObjectId(content: Uint8Array): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

/** The hash by which the hub names a large file. */
export function sha256(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/**
 * Serve repositories as the hub does: the routes, headers, status codes, ranges and redirects that its clients rely on.
 * `owner/name` is a model, `datasets/owner/name` a data set. Large files are redirected to a second port, which stands for the hub's file
 * store.
 */
export async function startHubServer(
  repos: Readonly<Record<string, ServedRepo>>,
  { token = "", pageSize = 1000 }: { token?: string; pageSize?: number } = {},
): Promise<HubServer> {
  const requests: SeenRequest[] = [];
  const faults = new Map<string, Fault[]>();
  const answers: { part: string; answer: (response: ServerResponse) => void }[] = [];

  const store = createServer((request, response) => {
    const { seen, url } = note(request, response, true);
    const [, repo, path] = /^\/((?:datasets\/)?[^/]+\/[^/]+)\/([^?]+)/.exec(seen.path) ?? [];
    sendFile(request, response, atCommit(repos[repo!]!, url.searchParams.get("commit")!), path!);
  });
  await listen(store);

  const hub = createServer((request, response) => {
    const { seen, url } = note(request, response, false);
    const special = answers.find(({ part }) => seen.path.includes(part));
    if (special !== undefined) return special.answer(response);
    const route =
      /^\/api\/(?<type>model|dataset)s\/(?<repo>[^/]+\/[^/]+)\/(?<kind>revision|tree|paths-info)\/(?<revision>[^/]+)(?:\/(?<path>.*))?$/.exec(
        url.pathname,
      ) ??
      /^\/(?:(?<type>dataset)s\/)?(?<repo>[^/]+\/[^/]+)\/(?<kind>resolve)\/(?<revision>[^/]+)\/(?<path>.+)$/.exec(
        url.pathname,
      ) ??
      /^\/api\/(?<kind>resolve-cache)\/(?<type>model|dataset)s\/(?<repo>[^/]+\/[^/]+)\/(?<revision>[^/]+)\/(?<path>.+)$/.exec(
        url.pathname,
      );
    if (route === null) return refuse(response, 404, undefined, "Sorry, we can't find the page");
    const { repo: ownName = "", kind, type = "model" } = route.groups!;
    const name = type === "dataset" ? `datasets/${ownName}` : ownName;
    const path = decodeURIComponent(route.groups!.path ?? "");
    const isAllowed = token !== "" && request.headers.authorization === `Bearer ${token}`;
    const isUnknown = request.headers.authorization !== undefined && !isAllowed;
    if (isUnknown && token !== "" && request.headers.authorization === "Bearer hf_unknown") {
      return refuse(response, 401, undefined, "Invalid credentials in Authorization header");
    }
    const served = repos[name];
    if (served === undefined || (served.private && !isAllowed)) {
      return refuse(response, 401, "RepoNotFound", "Invalid username or password.");
    }
    const revision = decodeURIComponent(route.groups!.revision!);
    const commit = served.refs[revision] ?? Object.values(served.refs).find((known) => known === revision);
    if (commit === undefined) {
      return refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    }
    const repo = atCommit(served, commit);
    switch (kind) {
      case "revision":
        return sendJson(response, modelOf(ownName, repo, commit));
      case "tree":
        return sendTree(response, repo, path, url);
      case "paths-info":
        return receive(request, (body) => {
          const { paths } = JSON.parse(body) as { paths: string[] };
          sendJson(
            response,
            paths.flatMap((wanted) => entryOf(repo, wanted) ?? []),
          );
        });
    }
    if (repo.gated && !isAllowed) {
      const message = `Access to ${type} ${ownName} is restricted. You must have access to it and be authenticated.`;
      return refuse(response, isUnknown ? 403 : 401, "GatedRepo", message);
    }
    const file = repo.files[path];
    response.setHeader("X-Repo-Commit", commit);
    if (file === undefined) return refuse(response, 404, "EntryNotFound", "Entry not found");
    if (kind === "resolve-cache") return sendFile(request, response, repo, path);
    if (!file.large) {
      // A relative redirect, which clients follow with the token.
      response.setHeader("ETag", `"${gitObjectId(file.content)}"`);
      response.setHeader("X-Linked-Size", file.content.length);
      response
        .writeHead(307, { Location: `/api/resolve-cache/${type}s/${ownName}/${commit}/${encode(path)}` })
        .end();
      return;
    }
    response.setHeader("X-Linked-ETag", `"${sha256(file.content)}"`);
    response.setHeader("X-Linked-Size", file.content.length);
    response
      .writeHead(302, {
        Location: `${addressOf(store)}/${name}/${encode(path)}?Expires=1&Signature=x&commit=${commit}`,
      })
      .end();
  });
  await listen(hub);

  function note(request: IncomingMessage, response: ServerResponse, toStore: boolean) {
    const url = new URL(request.url ?? "/", "http://loopback");
    const seen: SeenRequest = {
      method: request.method ?? "",
      path: decodeURIComponent(url.pathname) + url.search,
      toStore,
      range: request.headers.range,
      authorization: request.headers.authorization,
      bytes: 0,
    };
    requests.push(seen);
    const write = response.write.bind(response) as (...given: unknown[]) => boolean;
    const count = (chunk: unknown) => {
      if (chunk instanceof Uint8Array) seen.bytes += chunk.length;
    };
    response.write = ((...given: unknown[]) => {
      count(given[0]);
      return write(...given);
    }) as typeof response.write;
    return { seen, url };
  }

  function sendFile(request: IncomingMessage, response: ServerResponse, repo: ServedRepo, path: string) {
    const { content, large } = repo.files[path]!;
    response.setHeader("ETag", `"${large ? sha256(content) : gitObjectId(content)}"`);
    const [, first = "0", last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const start = Number(first);
    const end = last ? Math.min(Number(last) + 1, content.length) : content.length;
    const fault = request.method === "GET" ? faults.get(path)?.shift() : undefined;
    if (fault !== undefined) return fault(response, content, start, end);
    if (start > 0 && start >= content.length) {
      response.writeHead(416, { "Content-Range": `bytes */${content.length}` }).end();
      return;
    }
    sendRange(response, content, { start, end }, () => {
      if (request.method === "GET") response.write(content.subarray(start, end));
      response.end();
    });
  }

  function sendTree(response: ServerResponse, repo: ServedRepo, folder: string, url: URL) {
    const prefix = folder === "" ? "" : `${folder}/`;
    const inside = Object.keys(repo.files).filter((path) => path.startsWith(prefix));
    if (inside.length === 0) return refuse(response, 404, "EntryNotFound", `${folder} does not exist`);
    const recursive = url.searchParams.get("recursive") === "true";
    const paths = recursive
      ? inside
      : [...new Set(inside.map((path) => prefix + path.slice(prefix.length).split("/")[0]))];
    const from = Number(url.searchParams.get("cursor") ?? 0);
    const next = new URL(url.pathname + url.search, addressOf(hub));
    next.searchParams.set("cursor", String(from + pageSize));
    if (from + pageSize < paths.length) response.setHeader("Link", `<${next.href}>; rel="next"`);
    sendJson(
      response,
      paths.slice(from, from + pageSize).map((path) => entryOf(repo, path)),
    );
  }

  return {
    endpoint: addressOf(hub),
    requests,
    contents: () => requests.filter(({ bytes }) => bytes > 0),
    fail: (path, ...next) => faults.set(path, next),
    answer: (part, answer) => answers.push({ part, answer }),
    async close() {
      for (const server of [hub, store]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}

function atCommit(repo: ServedRepo, commit: string): ServedRepo {
  return { ...repo, files: repo.otherFiles?.[commit] ?? repo.files };
}

function modelOf(name: string, { gated = false, private: hidden = false, files }: ServedRepo, sha: string) {
  return {
    _id: "6489a0b0",
    id: name,
    sha,
    private: hidden,
    gated: gated ? "manual" : false,
    downloads: 0,
    likes: 0,
    lastModified: "2026-01-01T00:00:00.000Z",
    tags: [],
    siblings: Object.keys(files).map((rfilename) => ({ rfilename })),
  };
}

function entryOf({ files }: ServedRepo, path: string) {
  const file = files[path];
  if (file === undefined) {
    const isFolder = Object.keys(files).some((other) => other.startsWith(`${path}/`));
    return isFolder ? { type: "directory", oid: sha1(path), size: 0, path } : undefined;
  }
  const size = file.content.length;
  const entry = { type: "file", oid: gitObjectId(file.content), size, path };
  return file.large
    ? { ...entry, oid: sha1(path), lfs: { oid: sha256(file.content), size, pointerSize: 135 } }
    : entry;
}

function sendRange(
  response: ServerResponse,
  content: Uint8Array,
  { start, end }: { start: number; end: number },
  body: () => void,
): void {
  const isPart = start > 0 || end < content.length;
  response.setHeader("Accept-Ranges", "bytes");
  response.setHeader("Content-Length", end - start);
  if (isPart) response.setHeader("Content-Range", `bytes ${start}-${end - 1}/${content.length}`);
  response.writeHead(isPart ? 206 : 200);
  body();
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "Content-Type": "application/json; charset=utf-8" }).end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, code: string | undefined, message: string): void {
  if (code !== undefined) response.setHeader("X-Error-Code", code);
  response.setHeader("X-Error-Message", message);
  response.writeHead(status, { "Content-Type": "application/json; charset=utf-8" });
  response.end(JSON.stringify({ error: message }));
}

function receive(request: IncomingMessage, use: (body: string) => void): void {
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (chunk: string) => {
    body += chunk;
  });
  request.on("end", () => use(body));
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

function encode(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

function listen(server: Server): Promise<void> {
  return new Promise((done) => server.listen(0, "127.0.0.1", done));
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
