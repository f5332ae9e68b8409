import { type Labels, label, makeToyWorld, referenceKernels, type Verdict } from "@saestitch/core";
import { parquetReadObjects } from "hyparquet";
import { beforeAll, expect, test } from "vitest";
import { labelDocument } from "./label-document.ts";
import { labelPicture } from "./label-picture.ts";
import { labelReport, mostNovel } from "./label-report.ts";
import type { LabelRun } from "./label-run.ts";
import { latentsParquet } from "./latents-parquet.ts";
import { compareWithTruth, correctnessTable, plantedVerdicts, trainedVerdicts } from "./planted-truth.ts";

const world = makeToyWorld({ documents: 40 });
const plain = { width: 80, style: { bold: (text: string) => text, dim: (text: string) => text } };
let labels: Labels;
beforeAll(async () => {
  labels = await label(world.smaller, world.larger, world.source, referenceKernels);
});

function runOf(changed: Partial<Labels> = {}): LabelRun {
  const input = (sae: LabelRun["smaller"]["sae"]) => ({ sae, location: "toy", files: [], hash: null });
  return {
    smaller: input(world.smaller),
    larger: input(world.larger),
    sample: { location: "toy", rows: world.source.rows, excludedTokens: [] },
    labels: { ...labels, ...changed },
  };
}

/** The labels as if the first latent had never fired. */
function withDeadLatent(): Labels {
  const { latents } = labels;
  const dead = <Column extends Float64Array>(column: Column) => column.with(0, Number.NaN);
  return {
    ...labels,
    latents: {
      ...latents,
      verdict: latents.verdict.with(0, "dead"),
      scale: dead(latents.scale),
      pValue: dead(latents.pValue),
      agreement: dead(latents.agreement),
    },
  };
}

test("labelDocument() has null where a number is not defined, and survives JSON", () => {
  const document = labelDocument(runOf(withDeadLatent()));
  expect([document.latents.scale[0], document.latents.pValue[0], document.latents.agreement[0]]).toEqual([
    null,
    null,
    null,
  ]);
  expect(document.verdicts.dead).toBe(
    labels.latents.verdict.filter((verdict) => verdict === "dead").length + 1,
  );
  expect(JSON.parse(JSON.stringify(document))).toEqual(document);
});

test("latentsParquet() holds the columns of the document, bit for bit, and is the same every time", async () => {
  const { latents } = withDeadLatent();
  const bytes = latentsParquet(latents);
  expect(latentsParquet(latents)).toEqual(bytes);
  const rows = await parquetReadObjects({ file: bytes.slice().buffer });
  const columns = labelDocument(runOf({ latents })).latents;
  for (const [name, column] of Object.entries(columns)) expect(rows.map((row) => row[name])).toEqual(column);
  expect(rows.map(({ latent }) => latent)).toEqual([...rows.keys()]);
});

test("labelPicture() has a dot for every live latent, both thresholds, and is the same every time", () => {
  const run = runOf(withDeadLatent());
  const picture = labelPicture(run);
  expect(labelPicture(run)).toBe(picture);
  const live = run.labels.latents.verdict.filter((verdict) => verdict !== "dead").length;
  const legend = new Set(run.labels.latents.verdict).size;
  expect(picture.match(/<circle /g)).toHaveLength(live + legend);
  expect(picture).toContain("published 0.70");
  expect(picture).toContain(`best ${run.labels.predictor.best?.threshold.toFixed(2)}`);
  expect(picture).not.toMatch(/NaN|undefined|Infinity/);
});

test("labelPicture() can do without a predictor, and without a live latent", () => {
  const dead = labels.latents.verdict.map((): Verdict => "dead");
  const predictor = {
    ...labels.predictor,
    auc: null,
    best: null,
    aucInterval: null,
    thresholdInterval: null,
  };
  const picture = labelPicture(runOf({ predictor, latents: { ...labels.latents, verdict: dead } }));
  expect(picture).not.toMatch(/NaN|undefined|Infinity|best /);
});

test("labelPicture() draws at most twenty thousand dots, and says so", () => {
  const times = 100;
  const repeat = <Column extends Float32Array | Float64Array>(
    column: Column,
    kind: { from(values: number[]): Column },
  ) => kind.from(Array.from({ length: times * column.length }, (_, i) => column[i % column.length]));
  const { verdict, cosine, deltaMse } = labels.latents;
  const latents = {
    ...labels.latents,
    verdict: Array.from({ length: times * verdict.length }, (_, i) => verdict[i % verdict.length]),
    cosine: repeat(cosine, Float32Array as { from(values: number[]): typeof cosine }),
    deltaMse: repeat(deltaMse, Float64Array as { from(values: number[]): typeof deltaMse }),
  };
  const picture = labelPicture(runOf({ latents }));
  const circles = picture.match(/<circle /g)?.length ?? 0;
  expect(circles).toBeLessThanOrEqual(20_010);
  expect(picture).toMatch(/[\d,]+ of [\d,]+ live latents drawn/);
});

test("mostNovel() are the novel latents with the most negative ΔMSE, in order", () => {
  const { verdict, deltaMse } = labels.latents;
  const chosen = mostNovel(labels.latents, 5);
  expect(chosen.every((j) => verdict[j] === "novel")).toBe(true);
  const all = Array.from(deltaMse.filter((_, j) => verdict[j] === "novel")).sort((a, b) => a - b);
  expect(chosen.map((j) => deltaMse[j])).toEqual(all.slice(0, 5));
});

test("labelReport() fits its width and has the share of the MSE where there is room", () => {
  const widest = (text: string) =>
    Math.max(
      ...text
        .replace(/\p{Mn}/gu, "")
        .split("\n")
        .map((line) => line.length),
    );
  expect(widest(labelReport(runOf(), plain))).toBeLessThanOrEqual(80);
  expect(labelReport(runOf(), plain)).not.toContain("of MSE");
  const wide = labelReport(runOf(), { ...plain, width: 120 });
  expect(widest(wide)).toBeLessThanOrEqual(120);
  expect(wide).toContain("of MSE");
});

test("labelReport() says so when there is nothing to predict and nothing novel", () => {
  const reconstruction = labels.latents.verdict.map((): Verdict => "reconstruction");
  const predictor = {
    ...labels.predictor,
    auc: null,
    best: null,
    aucInterval: null,
    thresholdInterval: null,
  };
  const report = labelReport(
    runOf({ predictor, latents: { ...labels.latents, verdict: reconstruction } }),
    plain,
  );
  expect(report).toContain("no answer: all live latents improve");
  expect(report).toMatch(/Most novel latents.*\n {2}none/);
});

test("compareWithTruth() counts by kind and verdict, and knows precision and recall", () => {
  const truth = ["novel", "novel", "copy", "split", "absorbing"] as const;
  const verdict = ["novel", "undecided", "novel", "reconstruction", "dead"] as const;
  const correctness = compareWithTruth(truth, verdict, plantedVerdicts);
  expect(correctness).toMatchObject({ precision: 0.5, recall: 0.5, right: 2, latents: 5 });
  expect(correctness.confusion.absorbing).toEqual({ novel: 0, reconstruction: 0, undecided: 0, dead: 1 });
  const names = { novel: "new", copy: "copy", split: "split", absorbing: "absorbing" };
  const table = correctnessTable(correctness, "planted as", names);
  expect(table).toContain("2 of 5 right; of novel: precision ↑ 0.500, recall ↑ 0.500");
  expect(table).toMatch(/^new +1 +0 +1 +0$/m);
  expect(compareWithTruth(["copy"], ["reconstruction"], plantedVerdicts)).toMatchObject({
    precision: null,
    recall: null,
  });
});

test("compareWithTruth() leaves kinds that have no right verdict out of every figure but the counts", () => {
  const truth = ["novel", "known", "none", "none"] as const;
  const verdict = ["novel", "reconstruction", "novel", "dead"] as const;
  const correctness = compareWithTruth(truth, verdict, trainedVerdicts);
  expect(correctness).toMatchObject({ precision: 1, recall: 1, right: 2, latents: 2 });
  expect(correctness.confusion.none).toEqual({ novel: 1, reconstruction: 0, undecided: 0, dead: 1 });
});

test("labelReport() says what the standard errors rest on", () => {
  expect(labelReport(runOf(), plain)).toContain("tokens in 40 documents");
  expect(labelReport(runOf({ documents: labels.tokens }), plain)).toContain(
    "each taken for a document of its own",
  );
  expect(labelReport(runOf({ documents: 1 }), plain)).toContain("Nothing can be decided");
});
