import { setTimeout as wait } from "node:timers/promises";
import { describeKind, type HubKind, pageOf } from "./hub-address.ts";
import {
  HubAccessError,
  HubContentError,
  HubError,
  HubNotFoundError,
  HubUnreachableError,
} from "./hub-error.ts";

/** What every request about one repository needs to know. */
export interface HubConnection {
  /** Base URL of the hub, without a "/" at its end. */
  readonly endpoint: string;
  readonly kind: HubKind;
  readonly repo: string;
  readonly revision: string;
  readonly token: string | undefined;
  /** When true every request fails with a {@link HubUnreachableError}. */
  readonly offline: boolean;
  readonly fetch: typeof fetch;
  /** Milliseconds to wait before each further attempt when the hub cannot be reached. */
  readonly retryDelays: readonly number[];
}

/** One listing takes a request per thousand files; this many bytes would list some 300 000. */
const maxApiRequests = 1000;
const maxApiBytes = 64 * 2 ** 20;

const busy = new Set([408, 429, 500, 502, 503, 504]);

/**
 * Make one request, once. Resolves to a response of status 2xx; rejects with the {@link HubError} that fits any other.
 * The token goes to the endpoint alone, whatever address a hub's answer may lead to.
 */
export async function request(url: string, init: RequestInit, connection: HubConnection): Promise<Response> {
  const { endpoint, token, offline } = connection;
  if (offline) throw new HubUnreachableError(`Cannot ask for ${url}: HF_HUB_OFFLINE is set`);
  const headers = new Headers(init.headers);
  if (token !== undefined && new URL(url).origin === new URL(endpoint).origin) {
    headers.set("Authorization", `Bearer ${token}`);
  }
  let response: Response;
  try {
    response = await connection.fetch(url, { ...init, headers });
  } catch (cause) {
    throw new HubUnreachableError(`Cannot reach ${url}: ${reasonOf(cause)}`, { cause });
  }
  if (response.ok) return response;
  await response.body?.cancel();
  throw refusal(response, url, connection);
}

/**
 * A `fetch` for the hub's JSON routes: retried, with the errors of {@link request}, and bounded in the number of its
 * requests and in the length of their answers together.
 */
export function apiFetch(connection: HubConnection): typeof fetch {
  let requests = 0;
  let bytes = 0;
  return async (input, init = {}) => {
    const url = String(input);
    requests += 1;
    if (requests > maxApiRequests) {
      throw new HubContentError(`Cannot list ${connection.repo}: ${url} is page ${requests} of one listing`);
    }
    return retry(connection.retryDelays, async () => {
      const response = await request(url, init, connection);
      const chunks: Uint8Array[] = [];
      for await (const chunk of bodyChunks(response, url)) {
        bytes += chunk.length;
        if (bytes > maxApiBytes) {
          throw new HubContentError(`Cannot read ${url}: the hub's answers go on after ${maxApiBytes} bytes`);
        }
        chunks.push(chunk);
      }
      return new Response(new Uint8Array(Buffer.concat(chunks)), { headers: response.headers });
    });
  };
}

/**
 * Try again, after each of the delays in turn, while the hub is unreachable; any other error ends it. The delays start
 * anew whenever an attempt has raised `progress()`.
 */
export async function retry<T>(
  delays: readonly number[],
  attempt: () => Promise<T>,
  progress: () => number = () => 0,
): Promise<T> {
  for (let failures = 0; ; failures++) {
    const before = progress();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof HubUnreachableError)) throw error;
      if (progress() > before) failures = 0;
      if (failures >= delays.length) throw error;
      await wait(delays[failures]);
    }
  }
}

/** The chunks of a response's body; rejects with {@link HubUnreachableError} when the connection breaks. */
export async function* bodyChunks(response: Response, url: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body ?? []) yield chunk;
  } catch (cause) {
    throw new HubUnreachableError(`Cannot read ${url} to its end: ${reasonOf(cause)}`, { cause });
  }
}

function refusal(response: Response, url: string, connection: HubConnection): HubError {
  const { endpoint, kind, repo, revision, token } = connection;
  const { status, headers } = response;
  const code = headers.get("X-Error-Code");
  const stated = headers.get("X-Error-Message");
  const answer = `${url} answered ${status}${stated === null ? "" : ` ${JSON.stringify(stated)}`}`;
  if (code === "GatedRepo") {
    const already = token === undefined ? "" : " (the token in use belongs to an account that has no access)";
    return new HubAccessError(
      `Cannot read ${repo}: it is gated. Accept the licence at ${endpoint}/${pageOf(kind, repo)}, then set HF_TOKEN${already}; ${answer}`,
    );
  }
  if (code === "RevisionNotFound") {
    return new HubNotFoundError(
      `Cannot read ${repo}: it has no revision ${JSON.stringify(revision)}; ${answer}`,
    );
  }
  if (code === "EntryNotFound")
    return new HubNotFoundError(`Cannot read ${repo}: it has no such path; ${answer}`);
  if (status === 401 && stated === "Invalid credentials in Authorization header") {
    return new HubAccessError(`Cannot read ${repo}: the hub does not know the token in HF_TOKEN; ${answer}`);
  }
  // The hub answers 401 for a repository that is private and for one that is not there, to tell neither.
  if (code === "RepoNotFound" || status === 401) {
    return new HubNotFoundError(
      `Cannot read ${repo}: there is no such ${describeKind(kind)}, or it is private and HF_TOKEN must be set; ${answer}`,
    );
  }
  if (status === 403) return new HubAccessError(`Cannot read ${repo}: access is denied; ${answer}`);
  if (status === 404) return new HubNotFoundError(`Cannot read ${repo}: it is not there; ${answer}`);
  if (busy.has(status)) return new HubUnreachableError(`Cannot read ${repo}: ${answer}`);
  return new HubError(`Cannot read ${repo}: ${answer}`);
}

/** What `fetch` throws says only "fetch failed"; why is in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error)
    return error.cause.message || String((error.cause as { code?: string }).code);
  return error.message;
}
