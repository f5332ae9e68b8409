import { UnsupportedError } from "../errors.ts";

const datasetPrefix = "datasets/";

/** What a repository of the hub holds; each kind has its own routes and its own folders in the cache. */
export type HubKind = "model" | "dataset";

/** What an `hf:` address names: a file or folder of a repository, at a revision. */
export interface HubAddress {
  readonly kind: HubKind;
  /** `owner/name`. */
  readonly repo: string;
  /** "/"-separated, without a leading or trailing "/"; empty for the repository's root. */
  readonly path: string;
  /** A branch, tag or commit; `main` where the address names none. */
  readonly revision: string;
}

/**
 * Read an address `hf:owner/repo/path@revision` of a model or `hf:datasets/owner/name/path@revision` of a data set; path and revision may
 * be left out.
 *
 * The revision begins after the last "@" (and may hold "/", as `refs/pr/1` does), so the address of a path that itself
 * holds an "@" must name its revision. Throws {@link UnsupportedError} for any other form, and for names that could lead
 * out of the folder they are joined to.
 */
export function parseHubAddress(address: string): HubAddress {
  const refuse = (reason: string) =>
    new UnsupportedError(
      `Cannot read the address ${JSON.stringify(address)}: ${reason}; expected hf:owner/repo/path@revision or hf:datasets/owner/name/path@revision`,
    );
  if (!address.startsWith("hf:")) throw refuse('it does not begin with "hf:"');
  if (address.startsWith("hf:/")) throw refuse('there is a "/" before the owner');

  const at = address.lastIndexOf("@");
  const place = address.slice("hf:".length, at < 0 ? undefined : at);
  const revision = at < 0 ? "main" : address.slice(at + 1);
  const kind = place.startsWith(datasetPrefix) ? "dataset" : "model";
  const [owner = "", name = "", ...segments] = place
    .slice(kind === "dataset" ? datasetPrefix.length : 0)
    .split("/");
  if (segments.at(-1) === "") segments.pop();
  if (owner === "spaces") throw refuse("only models and data sets can be read, not spaces");
  for (const part of [owner, name]) {
    if (!isRepositoryName(part)) throw refuse(`${JSON.stringify(part)} cannot name an owner or a repository`);
  }
  if (revision === "") throw refuse('there is no revision after the "@"');
  for (const segment of revision.split("/")) {
    if (!isSafeSegment(segment)) throw refuse(`${JSON.stringify(revision)} cannot be a revision`);
  }
  for (const segment of segments) {
    if (!isSafeSegment(segment)) throw refuse(`a path cannot have the part ${JSON.stringify(segment)}`);
  }
  return { kind, repo: `${owner}/${name}`, path: segments.join("/"), revision };
}

/** The address as {@link parseHubAddress} reads it, with its revision always named. */
export function formatHubAddress({ kind, repo, path, revision }: HubAddress): string {
  return `hf:${pageOf(kind, repo)}${path === "" ? "" : `/${path}`}@${revision}`;
}

/** Where a repository lies below the hub's address: `owner/name` for a model, `datasets/owner/name` for a data set. */
export function pageOf(kind: HubKind, repo: string): string {
  return `${kind === "dataset" ? datasetPrefix : ""}${repo}`;
}

/** A kind of repository for a message. */
export function describeKind(kind: HubKind): string {
  return kind === "dataset" ? "data set" : "model repository";
}

/** Whether a "/"-separated path of one part or more can be joined to a folder without leading out of it. */
export function isSafePath(path: string): boolean {
  return path.split("/").every(isSafeSegment);
}

/** Whether one part of a path can be joined to a folder, on any operating system, without leading out of it. */
export function isSafeSegment(segment: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be in a file name
  return !/^\.{0,2}$|[\x00-\x1f\x7f/\\]|^[A-Za-z]:/.test(segment);
}

/** The hub's own rule; "--" joins owner and name in the cache and so can be in neither. */
function isRepositoryName(name: string): boolean {
  return name.length <= 96 && /^\w(?:[\w.-]*\w)?$/.test(name) && !/\.\.|--/.test(name);
}
