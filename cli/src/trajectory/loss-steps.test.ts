import { describe, expect, test } from "vitest";
import { UsageError } from "../arguments/usage-error.ts";
import { checkLossSteps, lossSteps } from "./loss-steps.ts";

const none = { "loss-steps": undefined, "loss-at": undefined };

describe("lossSteps()", () => {
  test("spreads steps evenly, both ends among them", () => {
    expect(lossSteps(none, 80)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80]);
    expect(lossSteps({ ...none, "loss-steps": 2 }, 80)).toEqual([0, 80]);
    expect(lossSteps({ ...none, "loss-steps": 4 }, 10)).toEqual([0, 3, 7, 10]);
  });

  test("names no step twice where a plan has few", () => {
    expect(lossSteps(none, 3)).toEqual([0, 1, 2, 3]);
    expect(lossSteps(none, 0)).toEqual([0]);
  });

  test("takes given steps in ascending order, and refuses one beyond the plan", () => {
    expect(lossSteps({ ...none, "loss-at": [40, 0, 80] }, 80)).toEqual([0, 40, 80]);
    expect(() => lossSteps({ ...none, "loss-at": [81] }, 80)).toThrow(UsageError);
  });
});

test("checkLossSteps() refuses steps named in two ways", () => {
  expect(() => checkLossSteps({ "loss-steps": 3, "loss-at": undefined })).not.toThrow();
  expect(() => checkLossSteps({ "loss-steps": 3, "loss-at": [1] })).toThrow(UsageError);
});
