import { choice, text } from "../arguments/option.ts";

/** Options of commands that go through the codes of several SAEs more than once. */
export const codeOptions = {
  codes: text(
    "DIR|memory",
    "Where the codes are kept, so that a second command does not encode again (default: codes in $SAESTITCH_CACHE, or in saestitch of the user's cache folder)",
  ),
  "code-precision": choice(
    ["f32", "f16"],
    "f32",
    "Bits of a kept strength; f16 takes a quarter less room and rounds strengths to 3 digits",
  ),
} as const;
