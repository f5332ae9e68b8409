import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeRuns } from "./parquet-runs.ts";

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...varint(Math.floor(value / 0x80))];
}

/** A number written out as bits, the least significant first. */
function bitsOf(value: number, width: number): string {
  return value.toString(2).padStart(width, "0").split("").reverse().join("");
}

function bytesOf(bits: string): number[] {
  const whole = bits.padEnd(8 * Math.ceil(bits.length / 8), "0");
  return (whole.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte.split("").reverse().join(""), 2));
}

interface Run {
  readonly repeated: boolean;
  readonly numbers: readonly number[];
}

/** The format as its specification has it: a run repeats its first number, or packs all of them in eights. */
function encode({ repeated, numbers }: Run, width: number): number[] {
  if (repeated) return [...varint(2 * numbers.length), ...bytesOf(bitsOf(numbers[0], width))];
  const eights = Math.ceil(numbers.length / 8);
  const padded = [...numbers, ...new Array(8 * eights - numbers.length).fill(0)];
  return [...varint(2 * eights + 1), ...bytesOf(padded.map((value) => bitsOf(value, width)).join(""))];
}

test("decodeRuns() gives the numbers that were written, of any width", () => {
  const runs = fc.integer({ min: 1, max: 32 }).chain((width) => {
    const number = fc.integer({ min: 0, max: 2 ** width - 1 });
    const packed = fc
      .array(fc.array(number, { minLength: 8, maxLength: 8 }), { minLength: 1, maxLength: 3 })
      .map((eights): Run => ({ repeated: false, numbers: eights.flat() }));
    const repeated = fc
      .tuple(number, fc.integer({ min: 1, max: 300 }))
      .map(([value, length]): Run => ({ repeated: true, numbers: new Array(length).fill(value) }));
    return fc.tuple(fc.constant(width), fc.array(fc.oneof(packed, repeated), { maxLength: 4 }), fc.nat(20));
  });
  fc.assert(
    fc.property(runs, ([width, runs, left]) => {
      const numbers = runs.flatMap((run) => run.numbers);
      const bytes = Uint8Array.from(runs.flatMap((run) => encode(run, width)));
      const count = Math.max(0, numbers.length - left);
      expect([...decodeRuns(bytes, width, count)]).toEqual(numbers.slice(0, count));
      expect(() => decodeRuns(bytes, width, numbers.length + 1)).toThrow("a page has");
    }),
    { numRuns: 200 },
  );
});

test("decodeRuns() takes numbers of no bits for zeros, and refuses what it cannot hold", () => {
  expect([...decodeRuns(new Uint8Array(0), 0, 3)]).toEqual([0, 0, 0]);
  expect(() => decodeRuns(Uint8Array.of(2, 0), 33, 1)).toThrow("numbers of 33 bits");
  expect(() => decodeRuns(Uint8Array.of(255, 255, 255, 255, 255, 1), 1, 1)).toThrow("does not end");
  // A run longer than all that is wanted costs nothing.
  expect([...decodeRuns(Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 1), 1, 2)]).toEqual([1, 1]);
});
