import type { SaeFiles } from "../sae/dialects/dialect.ts";
import { openSae } from "../sae/open-sae.ts";
import type { Sae } from "../sae/sae.ts";
import { type HubOptions, openHubFolder } from "./hub.ts";
import { openSaeFolder } from "./sae-folder.ts";

/** The files of the SAE at a path or at `hf:owner/repo/path[@revision]`, to be closed. Rejects as {@link openSaeFolder} and {@link openHubFolder} do. */
export function openSaeFiles(
  address: string,
  options: HubOptions = {},
): Promise<SaeFiles & { close(): Promise<void> }> {
  return address.startsWith("hf:") ? openHubFolder(address, options) : openSaeFolder(address);
}

/** Read the SAE at a path or at `hf:owner/repo/path[@revision]`. Rejects as {@link openSaeFiles} and {@link openSae} do. */
export async function readSae(address: string, options: HubOptions = {}): Promise<Sae> {
  const files = await openSaeFiles(address, options);
  try {
    return await openSae(files);
  } finally {
    await files.close();
  }
}
