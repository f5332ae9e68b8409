import { FormatError } from "../errors.ts";

/** Do something with what lies at `path`. A refusal of the system becomes a {@link FormatError} that names the path and says why in words. */
export async function tryToOpen<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file or folder" : message;
    throw new FormatError(`Cannot open ${path}: ${reason}`, { cause });
  }
}
