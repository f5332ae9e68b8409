import { expect, test } from "vitest";
import { displayWidth } from "./display-width.ts";

test("displayWidth() counts columns: none for styles and combining marks, two for wide characters", () => {
  expect(displayWidth("plain")).toBe(5);
  expect(displayWidth("\x1b[38;5;16;48;5;202;4mbold\x1b[0m")).toBe(4);
  expect(displayWidth("x\u0302")).toBe(1);
  expect(displayWidth("漢字かな")).toBe(8);
  expect(displayWidth("a😀b")).toBe(4);
});
