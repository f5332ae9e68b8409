import type { HubProgress } from "@saestitch/core/node";
import type { Progress, StartProgress } from "../terminal/progress.ts";

const MEGABYTE = 1e6;

/** Progress of downloads that come one after the other, a line for each file. */
export function downloadProgress(startProgress: StartProgress) {
  let current: { readonly file: string; readonly progress: Progress } | undefined;
  return {
    update({ file, received, total }: HubProgress): void {
      if (current?.file !== file) {
        current?.progress.end();
        const work = { label: file, unit: "MB", total: total / MEGABYTE, start: received / MEGABYTE };
        current = { file, progress: startProgress(work) };
      }
      current.progress.update(received / MEGABYTE);
    },
    end: () => current?.progress.end(),
  };
}
