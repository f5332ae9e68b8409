import type { Dialect } from "./dialect.ts";
import { gemmaScope } from "./gemma-scope.ts";
import { saelens } from "./saelens.ts";

/** Every layout that can be read, in the order in which they are tried. */
export const dialects: readonly Dialect[] = [saelens, gemmaScope];
