import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UnsupportedError } from "../errors.ts";
import { formatHubAddress, isSafeSegment, parseHubAddress } from "./hub-address.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";

describe("parseHubAddress()", () => {
  test.each([
    ["hf:owner/repo", "owner/repo", "", "main"],
    ["hf:owner/repo/", "owner/repo", "", "main"],
    ["hf:owner/repo@v1.0", "owner/repo", "", "v1.0"],
    [
      "hf:google/gemma-scope-2b-pt-res/layer_3/width_16k",
      "google/gemma-scope-2b-pt-res",
      "layer_3/width_16k",
      "main",
    ],
    ["hf:o/r/a/b/params.npz/", "o/r", "a/b/params.npz", "main"],
    [`hf:o/r/a@${commit}`, "o/r", "a", commit],
    ["hf:o/r/a@refs/pr/1", "o/r", "a", "refs/pr/1"],
    ["hf:o/r/a@b@main", "o/r", "a@b", "main"],
    ["hf:o/r/with space/..x/.hidden", "o/r", "with space/..x/.hidden", "main"],
    ["hf:a.b-c_d/0-x.y", "a.b-c_d/0-x.y", "", "main"],
  ])("reads %s", (address, repo, path, revision) => {
    expect(parseHubAddress(address)).toEqual({ kind: "model", repo, path, revision });
  });

  test.each([
    ["hf:datasets/owner/name", "owner/name", "", "main"],
    [
      "hf:datasets/owner/name/data/train@refs/convert/parquet",
      "owner/name",
      "data/train",
      "refs/convert/parquet",
    ],
    ["hf:datasets/datasets/name", "datasets/name", "", "main"],
  ])("reads the data set %s", (address, repo, path, revision) => {
    expect(parseHubAddress(address)).toEqual({ kind: "dataset", repo, path, revision });
  });

  test.each([
    ["owner/repo", 'does not begin with "hf:"'],
    ["HF:owner/repo", 'does not begin with "hf:"'],
    ["hf:", '"" cannot name'],
    ["hf:owner", '"" cannot name'],
    ["hf:owner/", '"" cannot name'],
    ["hf:/owner/repo", 'a "/" before the owner'],
    ["hf://owner/repo", 'a "/" before the owner'],
    ["hf:@main", '"" cannot name'],
    ["hf:../repo", '".." cannot name'],
    ["hf:owner/a..b", '"a..b" cannot name'],
    ["hf:owner/a--b", '"a--b" cannot name'],
    ["hf:-owner/repo", '"-owner" cannot name'],
    ["hf:owner/repo.", '"repo." cannot name'],
    [`hf:owner/${"x".repeat(97)}`, "cannot name"],
    ["hf:owner\\repo/a", "cannot name"],
    ["hf:spaces/owner/repo", "only models and data sets"],
    ["hf:datasets/owner", '"" cannot name'],
    ["hf:datasets", '"" cannot name'],
    ["hf:datasets/../owner/repo", '".." cannot name'],
    ["hf:owner/repo@", 'no revision after the "@"'],
    ["hf:owner/repo@../../x", "cannot be a revision"],
    ["hf:owner/repo@/x", "cannot be a revision"],
    ["hf:owner/repo@a\\b", "cannot be a revision"],
    ["hf:owner/repo/../other", 'the part ".."'],
    ["hf:owner/repo/a/./b", 'the part "."'],
    ["hf:owner/repo//b", 'the part ""'],
    ["hf:owner/repo/a//", 'the part ""'],
    ["hf:owner/repo/a\\b", 'the part "a\\\\b"'],
    ["hf:owner/repo/C:x", 'the part "C:x"'],
    ["hf:owner/repo/a\u0000b", 'the part "a\\u0000b"'],
    ["hf:owner/repo/a\nb", 'the part "a\\nb"'],
  ])("refuses %j", (address, reason) => {
    expect(() => parseHubAddress(address)).toThrow(UnsupportedError);
    expect(() => parseHubAddress(address)).toThrow(reason);
  });

  test("reads what formatHubAddress() writes, and nothing it accepts leads upwards", () => {
    const segment = fc.string({ minLength: 1, maxLength: 12 }).filter(isSafeSegment);
    const path = fc.array(segment, { maxLength: 4 }).map((parts) => parts.join("/"));
    const revision = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(
        fc.constantFrom("model" as const, "dataset" as const),
        path,
        revision.filter((name) => !name.includes("@")),
        (kind, path, revision) => {
          const address = { kind, repo: "owner/repo", path, revision };
          expect(parseHubAddress(formatHubAddress(address))).toEqual(address);
          expect(`/${path}/`).not.toContain("/../");
        },
      ),
    );
  });
});
