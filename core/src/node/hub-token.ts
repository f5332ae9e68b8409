import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * The token that Python's `huggingface_hub` would use: `HF_TOKEN`, else what `hf auth login` stored (at `HF_TOKEN_PATH`, else in
 * `HF_HOME/token`), unless `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
 */
export async function findHubToken(): Promise<string | undefined> {
  const { HF_TOKEN, HF_TOKEN_PATH, HF_HOME, XDG_CACHE_HOME, HF_HUB_DISABLE_IMPLICIT_TOKEN } = process.env;
  if (HF_TOKEN?.trim()) return HF_TOKEN.trim();
  if (HF_HUB_DISABLE_IMPLICIT_TOKEN) return undefined;
  const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface");
  // Most people have not logged in, and what cannot be read is no token.
  const stored = await readFile(HF_TOKEN_PATH || join(home, "token"), "utf8").catch(() => "");
  return stored.trim() || undefined;
}
