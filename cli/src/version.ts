import { readFileSync } from "node:fs";

/** Version of this package; core has the same. */
export const saestitchVersion: string = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
).version;
