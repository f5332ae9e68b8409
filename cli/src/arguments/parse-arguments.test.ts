import { expect, test } from "vitest";
import { choice, decimal, flag, repeatable, required, text, wholeNumber, wholeNumbers } from "./option.ts";
import { parseArguments } from "./parse-arguments.ts";
import { UsageError } from "./usage-error.ts";

const operands = [{ name: "file", help: "what to read" }];
const table = {
  out: text("DIR", "Where to write"),
  quiet: flag("Say nothing"),
  seed: wholeNumber("N", 0, 3, "Seed"),
  rate: decimal("Q", 0.5, { wanted: "above 0", accepts: (q) => q > 0 }, "Rate"),
  mode: choice(["fast", "slow"], "fast", "How"),
};
const parse = (...words: string[]) => parseArguments(words, operands, table);

test("parseArguments() fills in what is not given", () => {
  expect(parse("x")).toEqual({
    operands: ["x"],
    options: { out: undefined, quiet: false, seed: 3, rate: 0.5, mode: "fast" },
  });
});

test("parseArguments() takes values after a space or an equals sign, in any place, the last one counting", () => {
  const { operands, options } = parse(
    "--seed",
    "1",
    "--quiet",
    "x",
    "--out=d",
    "--seed=1_000",
    "--rate",
    ".25",
  );
  expect(operands).toEqual(["x"]);
  expect(options).toEqual({ out: "d", quiet: true, seed: 1000, rate: 0.25, mode: "fast" });
});

test("parseArguments() joins the values of a repeatable option, each once", () => {
  const several = { at: required(repeatable(wholeNumbers("N,…", 0, "Where"))) };
  const { options } = parseArguments(["--at", "3,1", "--at=4", "--at", "1"], [], several);
  expect(options.at).toEqual([3, 1, 4]);
});

test("parseArguments() takes what follows two dashes for operands", () => {
  expect(parse("--", "--quiet").operands).toEqual(["--quiet"]);
});

test.each([
  [["x", "--sed", "1"], "Unknown option --sed; did you mean --seed?"],
  [["x", "--__proto__"], "Unknown option --__proto__"],
  [["x", "-q"], "Unknown option -q"],
  [["x", "--seed"], "--seed needs a value: --seed N"],
  [["x", "--out", "--quiet"], "--out needs a value: --out DIR"],
  [["x", "--quiet=yes"], '--quiet takes no value, but "yes" is given'],
  [["x", "--seed", "-1"], '--seed must be a whole number of at least 0, not "-1"'],
  [["x", "--seed="], '--seed must be a whole number of at least 0, not ""'],
  [["x", "--seed", "1.5"], "--seed must be a whole number"],
  [["x", "--rate", "0"], '--rate must be above 0, not "0"'],
  [["x", "--mode", "faster"], '--mode must be fast or slow, not "faster"'],
  [[], "<file> is missing: what to read"],
  [["x", "y"], '"y" is one argument too many; 1 are taken'],
])("parseArguments() refuses %j", (words, message) => {
  expect(() => parse(...words)).toThrow(UsageError);
  expect(() => parse(...words)).toThrow(message);
});

test("parseArguments() refuses a command line without a required option", () => {
  const needed = { out: required(table.out) };
  expect(() => parseArguments([], [], needed)).toThrow("--out DIR is missing: Where to write");
  expect(parseArguments(["--out", "d"], [], needed).options.out).toBe("d");
});
