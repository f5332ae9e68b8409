import { inspect } from "node:util";
import { DataError, FormatError, ShapeError, UnsupportedError } from "@saestitch/core";
import { HubError } from "@saestitch/core/node";
import { UsageError } from "./arguments/usage-error.ts";
import { InterruptedError } from "./interruption.ts";

/** Something a user can put right that no other class of error names, such as a folder that is in the way. */
export class UserError extends Error {
  override readonly name = "UserError";
}

const expected = [
  UsageError,
  UserError,
  InterruptedError,
  FormatError,
  ShapeError,
  UnsupportedError,
  DataError,
  HubError,
] as const;

/** What to tell a person who is not debugging about the system's most common refusals. */
const systemMessages: Readonly<Record<string, string>> = {
  ENOENT: "No such file or folder",
  EACCES: "Permission denied",
  EPERM: "Operation not permitted",
  EISDIR: "This is a folder, but a file was expected",
  ENOTDIR: "A folder was expected, but a part of the path is a file",
  EEXIST: "This exists already",
  ENOSPC: "No space left on the device",
  EDQUOT: "The disk quota is used up",
  EFBIG: "The file would become larger than is allowed",
  EROFS: "The file system can only be read",
  EMFILE: "Too many files are open",
  EIO: "The device failed",
};

const bug = "An unexpected error: this is a bug in saestitch, please report it with the lines below.";

/**
 * A failure in words for standard error: the message of an error a user can cause; for anything else, which is a bug, its stack
 * too. `debug` adds stack and causes always.
 */
export function describeFailure(error: unknown, { debug = false } = {}): string {
  const message = error instanceof Error ? expectedMessage(error) : undefined;
  if (message === undefined) return `${bug}\n${inspect(error)}`;
  return debug ? `${message}\n${inspect(error)}` : message;
}

function expectedMessage(error: Error): string | undefined {
  if (isSystemError(error)) return systemMessage(error);
  // Errors that say more about a refusal of the system carry it as their cause.
  if (expected.some((kind) => error instanceof kind) || isSystemError(error.cause)) return error.message;
  return undefined;
}

interface SystemError extends Error {
  readonly code: string;
  readonly path?: string;
}

function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string";
}

function systemMessage({ code, path, message }: SystemError): string {
  const told = systemMessages[code];
  if (told === undefined) return message;
  return path === undefined ? told : `${told}: ${path}`;
}
