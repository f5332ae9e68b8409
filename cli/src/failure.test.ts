import { readFile } from "node:fs/promises";
import { FormatError } from "@saestitch/core";
import { HubNotFoundError } from "@saestitch/core/node";
import { expect, test } from "vitest";
import { describeFailure } from "./failure.ts";

test("describeFailure() gives the message alone for errors a user can cause", async () => {
  expect(describeFailure(new FormatError("x is broken"))).toBe("x is broken");
  expect(describeFailure(new HubNotFoundError("no such repository"))).toBe("no such repository");
  const missing = await readFile("/no/such/file").catch((error) => error);
  expect(describeFailure(missing)).toBe("No such file or folder: /no/such/file");
  expect(describeFailure(new Error("Cannot write x: the disk is full", { cause: missing }))).toBe(
    "Cannot write x: the disk is full",
  );
});

test("describeFailure() says that anything else is a bug, with the stack", () => {
  expect(describeFailure(new TypeError("undefined is not a function"))).toMatch(
    /this is a bug.*\nTypeError: undefined is not a function\n +at /,
  );
  expect(describeFailure("thrown text")).toMatch(/this is a bug.*\n'thrown text'/);
});

test("describeFailure() adds the stack and the causes when debugging", () => {
  const error = new FormatError("x is broken", { cause: new Error("y") });
  expect(describeFailure(error, { debug: true })).toMatch(
    /^x is broken\nFormatError: x is broken\n +at .*Error: y/s,
  );
});
