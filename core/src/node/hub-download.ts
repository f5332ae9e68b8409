import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileSize, type HubBlob } from "./hub-cache.ts";
import { HubContentError, HubDiskError, HubError, HubUnreachableError } from "./hub-error.ts";
import { wrongRange } from "./hub-range.ts";
import { bodyChunks, type HubConnection, request, retry } from "./hub-request.ts";

/** What a download reports while it runs. */
export interface HubProgress {
  /** Path of the file in the repository. */
  readonly file: string;
  /** Bytes on disk so far, those of an earlier, broken download included. */
  readonly received: number;
  /** Bytes of the whole file. */
  readonly total: number;
}

/** A part that nobody has written to for this long belongs to nobody; `fetch` gives up on a silent server sooner. */
const abandonedAfter = 15 * 60_000;

/**
 * Download `file`, whose content is `blob`, from `url` to `blobPath`: from where an earlier attempt broke off, and under
 * that name only once length and hash are right.
 *
 * The part received so far stays beside it as `<id>.incomplete` when this fails. While a download runs its part carries
 * the process's name, so that two processes downloading the same file never write to the same part. Rejects with a
 * {@link HubError}: {@link HubUnreachableError} when the connection keeps breaking, {@link HubContentError} for a wrong
 * length or hash, {@link HubDiskError} when the disk is full.
 */
export async function downloadBlob(
  file: string,
  url: string,
  blob: HubBlob,
  blobPath: string,
  connection: HubConnection,
  onProgress: (progress: HubProgress) => void,
): Promise<void> {
  await onDisk(blobPath, () => mkdir(dirname(blobPath), { recursive: true }));
  const part = await onDisk(blobPath, () => claimPart(blobPath));
  try {
    await requireSpace(part, blob.size);
    const report = (received: number) => onProgress({ file, received, total: blob.size });
    const resumed = await receive(part, url, blob, connection, report);
    let hash = await hashOf(part, blob);
    if (hash !== blob.id && resumed) {
      // What lay there may not have been ours; the second time it all is.
      await rm(part);
      await receive(part, url, blob, connection, report);
      hash = await hashOf(part, blob);
    }
    if (hash !== blob.id) {
      throw new HubContentError(
        `Cannot use ${url}: its ${blob.size} bytes have the hash ${hash}, expected ${blob.id}`,
      );
    }
    await onDisk(blobPath, () => rename(part, blobPath));
  } catch (error) {
    if (error instanceof HubContentError) await rm(part, { force: true });
    // It stays under the running download's name when even this fails, and is found by its age.
    else await rename(part, `${blobPath}.incomplete`).catch(() => {});
    throw error;
  }
}

/** Fill the part up to the blob's size; resolves to whether it held anything before. */
async function receive(
  part: string,
  url: string,
  { size }: HubBlob,
  connection: HubConnection,
  report: (received: number) => void,
): Promise<boolean> {
  const handle = await onDisk(part, () =>
    open(part, "a")
      .then((made) => made.close())
      .then(() => open(part, "r+")),
  );
  try {
    const present = (await handle.stat()).size;
    const target = { handle, part, received: present, report };
    if (present > size) await restart(target);
    report(target.received);
    await retry(
      connection.retryDelays,
      async () => {
        if (target.received < size) await receiveOnce(target, url, size, connection);
      },
      () => target.received,
    );
    await onDisk(part, () => handle.sync());
    return present > 0;
  } finally {
    await handle.close();
  }
}

/** A part being written: its bytes below `received` are in place. */
interface Target {
  readonly handle: FileHandle;
  readonly part: string;
  received: number;
  readonly report: (received: number) => void;
}

async function receiveOnce(
  target: Target,
  url: string,
  size: number,
  connection: HubConnection,
): Promise<void> {
  // Compressed answers have no ranges, and no length to check.
  const headers: Record<string, string> = { "Accept-Encoding": "identity" };
  if (target.received > 0) headers.Range = `bytes=${target.received}-`;
  const response = await request(url, { headers }, connection);
  try {
    const wrong = wrongRange(response, { start: target.received, end: size, byteLength: size });
    if (wrong !== undefined) throw new HubContentError(`Cannot download ${url}: ${wrong}`);
    if (response.status !== 206 && target.received > 0) await restart(target);
    for await (const chunk of bodyChunks(response, url)) {
      if (target.received + chunk.length > size) {
        throw new HubContentError(`Cannot download ${url}: it goes on after the ${size} bytes it has`);
      }
      await writeChunk(target, chunk);
    }
  } finally {
    await response.body?.cancel().catch(() => {});
  }
  if (target.received < size) {
    throw new HubUnreachableError(
      `Cannot download ${url}: the answer ended after ${target.received} of ${size} bytes`,
    );
  }
}

async function writeChunk(target: Target, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    const { bytesWritten } = await onDisk(target.part, () =>
      target.handle.write(chunk, written, chunk.length - written, target.received),
    );
    written += bytesWritten;
    target.received += bytesWritten;
  }
  target.report(target.received);
}

async function restart(target: Target): Promise<void> {
  await onDisk(target.part, () => target.handle.truncate(0));
  target.received = 0;
}

/**
 * Take over the longest part that nobody is writing to, or name a new one. A rename succeeds for one process alone, so
 * a part has one writer at a time.
 */
async function claimPart(blobPath: string): Promise<string> {
  const folder = dirname(blobPath);
  const id = blobPath.slice(folder.length + 1);
  const own = `${blobPath}.${thisHost}-${process.pid}-${randomBytes(4).toString("hex")}.incomplete`;
  const abandoned: { path: string; size: number }[] = [];
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${id}.`) || !name.endsWith(".incomplete")) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) continue;
    const owner = name.slice(id.length + 1, -".incomplete".length);
    if (hasNoWriter(owner, Date.now() - found.mtimeMs)) abandoned.push({ path, size: found.size });
  }
  abandoned.sort((a, b) => b.size - a.size);
  for (const { path } of abandoned) {
    try {
      await rename(path, own);
      return own;
    } catch {
      // Another process was first.
    }
  }
  return own;
}

const thisHost = hostname()
  .replaceAll(/[^\w.]/g, "_")
  .slice(0, 60);

/** Whether a part with `owner` in its name, silent for `age` milliseconds, may be taken over. */
function hasNoWriter(owner: string, age: number): boolean {
  if (owner === "" || age > abandonedAfter) return true;
  const [host, pid] = owner.split("-");
  if (host !== thisHost || !/^\d+$/.test(pid ?? "")) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

async function requireSpace(part: string, size: number): Promise<void> {
  const { bavail, bsize, blocks } = await statfs(dirname(part));
  const missing = size - ((await fileSize(part)) ?? 0);
  // Some network file systems report nothing at all.
  if (blocks > 0 && bavail * bsize < missing) {
    throw new HubDiskError(
      `Cannot download to ${dirname(part)}: ${bavail * bsize} bytes are free, ${missing} are needed`,
    );
  }
}

async function hashOf(path: string, { id, size }: HubBlob): Promise<string> {
  // Git hashes a file together with its length.
  const hash = id.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
  await onDisk(path, () => pipeline(createReadStream(path), hash));
  return hash.digest("hex");
}

/** Do something in the cache folder; what the operating system refuses becomes a {@link HubDiskError}. */
export async function onDisk<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof HubError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOSPC" || code === "EDQUOT" ? "the disk is full" : message;
    throw new HubDiskError(`Cannot write ${path}: ${reason}`, { cause });
  }
}
