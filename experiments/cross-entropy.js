import { join } from "node:path";
import {
  codeSample,
  encode,
  label,
  measureReconstruction,
  mergeDictionary,
  mergeSaes,
  plannedSae,
  planTrajectory,
  poolLatents,
  row,
  stitchLatents,
  usableRows,
} from "@saestitch/core";
import { readSae } from "@saestitch/core/node";
import { lossDifference } from "@saestitch/models";
import { refitDecoder } from "../core/dist/frankenstein/refit-decoder.js";
import { percent, printTable } from "./stories260k.js";
import { openStoriesModel, saestitch } from "./stories260k-model.js";

/**
 * Question: do gains in MSE show in cross-entropy? The chain capture, train, label, stitch, losses on a real model; everything is made on four
 * fifths of the stories and measured on the others.
 */
const chain = await openStoriesModel();
const { kernels, making } = chain;
const done = (what) => console.error(`${(performance.now() / 1000).toFixed(0)} s: ${what}`);
done("captured");
const firstForty = await chain.lossOfFirst(40);

/** Stories that single steps are measured on; SAEs are measured on all that are held out. */
const fewStories = 60;
/** Rows of the sample that stitching and re-fitting read. */
const stitchRows = 200_000;
const refitRows = 60_000;

const budget = 512;
const trained = join(chain.folder, "saes");
saestitch(
  ...["train", "--activations", making.path, "--out", trained, "--widths", "128,256,512,1024", "--k", "9"],
  ...["--steps", "3000", "--batch-rows", "1024", "--learning-rate", "1e-3"],
);
const families = [
  { name: "ReLU", sizes: [128, 256, 512, 1024, 2048], read: chain.given },
  { name: "BatchTopK", sizes: [128, 256, 512, 1024], read: (size) => readSae(join(trained, `${size}`)) },
];
for (const family of families)
  family.saes = new Map(await Promise.all(family.sizes.map(async (size) => [size, await family.read(size)])));
done("trained");

await reportLabels();
const saes = [];
for (const family of families) saes.push(...(await stitched(family)));
const measured = await chain.measure(saes);
done("measured SAEs");
reportLosses();
reportDifferences();
await reportTrajectory(families[0], [128, 512]);
await reportInsertions(families[0], [256, 512]);
await chain.close();

/** Latents of each family's 512 that are new to its 256. */
async function reportLabels() {
  const rows = [];
  for (const { name, saes } of families) {
    const { latents, predictor } = await label(saes.get(256), saes.get(512), making.source, kernels);
    const share = (verdict) => percent(latents.verdict.filter((of) => of === verdict).length / 512);
    rows.push([
      name,
      ...["novel", "reconstruction", "undecided", "dead"].map(share),
      predictor.auc.toFixed(3),
    ]);
  }
  console.log("\nLatents of 512, inserted into 256\n");
  printTable(["family", "novel", "reconstruction", "undecided", "dead", "AUC of a low cosine"], rows);
  done("labelled");
}

/** The trained SAEs of a family, and what is stitched from three of them at the latents and the L0 of the fourth. */
async function stitched({ name: family, saes }) {
  const pool = [128, 256, 1024, budget].map((size) => saes.get(size));
  const { l0 } = (await measureReconstruction(saes.get(budget), making.source, kernels)).metrics;
  const coded = codeSample(pool, firstRows(making.source, stitchRows), kernels);
  const result = await stitchLatents(coded, kernels, {
    latents: budget,
    l0,
    candidates: pool.length - 1,
    decoder: "refit",
  });
  const entries = [...saes].map(([size, sae]) => ({
    family,
    isTrained: true,
    name: `${family} ${size}, as trained`,
    sae,
  }));
  const { comparison } = result;
  comparison.rows.forEach(({ method, refit }, i) => {
    if (refit === "none") return;
    const isExchanged = method === "greedy" && i === result.row;
    const how = isExchanged ? "greedy, chosen for re-fitted directions" : method;
    entries.push({
      family,
      method,
      name: `${family}, ${how}, ${refit === "bias" ? "bias" : "directions"} re-fitted`,
      sae: mergeDictionary(result.pool, comparison.dictionaries[i]),
    });
  });
  done(`stitched ${family}`);
  return entries;
}

/** Every SAE: error, L0 and losses. */
function reportLosses() {
  const { original, ablations, documents, predictions, byName } = measured;
  console.log(
    `\nUnchanged model: ${firstForty.toFixed(4)} nats per token on the first 40 stories of the file; on the ${documents} stories held out ` +
      `(${predictions} predictions) ${original.crossEntropy.toFixed(4)}, with zeros ${ablations[0].crossEntropy.toFixed(4)}, with the mean ${ablations[1].crossEntropy.toFixed(4)}\n`,
  );
  const rows = saes.map(({ name, family, isTrained }) => {
    const of = byName.get(name);
    const expected = isTrained ? undefined : costOfTrained(family, of.mse);
    return [
      name,
      of.latents,
      of.l0.toFixed(2),
      of.mse.toFixed(5),
      of.crossEntropy.toFixed(4),
      estimate(of.degradation),
      of.recoveredVsZero.value.toFixed(3),
      of.recoveredVsMean.value.toFixed(3),
      of.divergence.value.toFixed(4),
      (of.cost / of.mse).toFixed(2),
      expected === undefined ? "–" : percent(of.cost / expected - 1),
    ];
  });
  printTable(
    [
      ...[
        "SAE",
        "latents",
        "L0",
        "MSE ↓",
        "CE ↓",
        "ΔCE ± SE ↓",
        "recovered, zero ↑",
        "recovered, mean ↑",
        "KL ↓",
      ],
      ...["ΔCE / MSE", "ΔCE against a trained SAE of that MSE"],
    ],
    rows,
  );
  console.log("\nRank correlation of MSE with ΔCE, and with KL\n");
  const sets = [
    ["all", saes],
    ["trained, as they are", saes.filter(({ isTrained }) => isTrained)],
    ...families.map(({ name }) => [
      `${name}, made for ${budget} latents at one L0`,
      saes.filter(({ family, isTrained }) => family === name && !isTrained),
    ]),
  ];
  printTable(
    ["SAEs", "number", "ΔCE", "KL"],
    sets.map(([name, set]) => {
      const of = set.map((one) => byName.get(one.name));
      const column = (value) => of.map(value);
      const errors = column(({ mse }) => mse);
      return [
        name,
        set.length,
        spearman(
          errors,
          column(({ cost }) => cost),
        ).toFixed(3),
        spearman(
          errors,
          column(({ divergence }) => divergence.value),
        ).toFixed(3),
      ];
    }),
  );
}

/** ΔCE that the trained SAEs of a family have at an error, between neighbours in a straight line of logarithms; undefined beyond them. */
function costOfTrained(family, mse) {
  const points = saes
    .filter((one) => one.family === family && one.isTrained)
    .map(({ name }) => measured.byName.get(name))
    .sort((a, b) => a.mse - b.mse);
  const above = points.findIndex((point) => point.mse >= mse);
  if (above < 1) return undefined;
  const [a, b] = [points[above - 1], points[above]];
  const share = Math.log(mse / a.mse) / Math.log(b.mse / a.mse);
  return a.cost * (b.cost / a.cost) ** share;
}

/** What one choice against another gains, in error and in cross-entropy. */
function reportDifferences() {
  const rows = [];
  const compare = (what, name, reference) => {
    const [a, b] = [measured.byName.get(name), measured.byName.get(reference)];
    if (a === undefined || b === undefined) return;
    const change = lossDifference(measured.sums, name, reference);
    rows.push([
      what,
      signed(a.mse - b.mse, 5),
      percent(a.mse / b.mse - 1, 1),
      estimate(change, true),
      percent(a.cost / b.cost - 1, 1),
      (change.value / (a.mse - b.mse)).toFixed(2),
    ]);
  };
  for (const { name: family, sizes } of families) {
    for (const [i, size] of sizes.entries())
      if (i > 0)
        compare(
          `${family}: ${size} instead of ${sizes[i - 1]}`,
          `${family} ${size}, as trained`,
          `${family} ${sizes[i - 1]}, as trained`,
        );
    const asTrained = `${family} ${budget}, as trained`;
    const of = (method, refit) => `${family}, ${method}, ${refit} re-fitted`;
    const exchanged = of("greedy, chosen for re-fitted directions", "directions");
    compare(
      `${family}: greedy instead of trained, biases re-fitted`,
      of("greedy", "bias"),
      of("trained", "bias"),
    );
    compare(`${family}: greedy for re-fitted directions instead of trained as it is`, exchanged, asTrained);
    compare(
      `${family}: the same instead of trained, its directions re-fitted`,
      exchanged,
      of("trained", "directions"),
    );
    for (const method of ["trained", "greedy", "threshold", "concatenation", "random"])
      compare(
        `${family}: re-fitted directions instead of bias, ${method}`,
        of(method, "directions"),
        of(method, "bias"),
      );
  }
  console.log("\nOne instead of another\n");
  printTable(["", "MSE", "", "CE ± SE", "ΔCE", "nats per unit of MSE"], rows);
}

/** From one SAE to another, at some steps: as it is, at the L0 of the first, and with directions fitted anew. */
async function reportTrajectory({ name: family, saes }, sizes) {
  const [smaller, larger] = sizes.map((size) => saes.get(size));
  const coded = codeSample([smaller, larger], making.source, kernels);
  const pair = { smaller: plannedSae(smaller), larger: plannedSae(larger) };
  const { steps } = await planTrajectory(coded, pair, kernels);
  const inserted = steps.findIndex(({ remove }) => remove.length > 0);
  const at = [0, 1 / 3, 2 / 3, 1].map((share) => Math.round(share * inserted));
  for (const share of [0.2, 0.4, 0.6, 0.8, 1])
    at.push(Math.round(inserted + share * (steps.length - inserted)));

  const pool = poolLatents([smaller, larger]);
  const sample = await readRows(making.source, refitRows);
  const { l0 } = (await measureReconstruction(smaller, making.source, kernels, { end: refitRows })).metrics;
  const entries = [];
  for (const step of at) {
    const latents = latentsAfter(steps.slice(0, step), pool);
    const directions = rowsOf(pool.directions, latents);
    const dictionary = { latents, directions, bias: smaller.decoderBias, floor: 0 };
    const stitched = mergeDictionary(pool, dictionary);
    const { contributions } = await encode(stitched, sample, kernels);
    const floor = floorFor(contributions, directions, l0);
    entries.push({ name: `${step}`, sae: stitched });
    entries.push({ name: `${step}, L0 held`, sae: mergeDictionary(pool, { ...dictionary, floor }) });
    entries.push({ name: `${step}, re-fitted`, sae: await refitted(stitched, sample, contributions) });
  }
  const { byName } = await chain.measure(entries, fewStories);
  const figures = (name) => {
    const { mse, degradation } = byName.get(name);
    return [mse.toFixed(5), estimate(degradation)];
  };
  console.log(
    `\n${family}, from ${sizes.join(" to ")} latents: after ${inserted} of ${steps.length} steps the novel latents are inserted; ${fewStories} stories\n`,
  );
  printTable(
    [
      ...[
        "step",
        "latents",
        "L0",
        "MSE",
        "ΔCE ± SE",
        `MSE, weakest dropped to L0 ${l0.toFixed(2)}`,
        "ΔCE ± SE",
      ],
      ...["MSE, directions re-fitted", "ΔCE ± SE"],
    ],
    at.map((step) => {
      const { latents, l0 } = byName.get(`${step}`);
      const kinds = ["", ", L0 held", ", re-fitted"];
      return [step, latents, l0.toFixed(2), ...kinds.flatMap((kind) => figures(`${step}${kind}`))];
    }),
  );
  const correlation = (kind) => {
    const of = at.map((step) => byName.get(`${step}${kind}`));
    return spearman(
      of.map(({ mse }) => mse),
      of.map(({ cost }) => cost),
    ).toFixed(2);
  };
  console.log(
    `\nRank correlation of MSE with ΔCE over these steps: ${correlation("")} as they are, ${correlation(", L0 held")} at held L0, ${correlation(", re-fitted")} re-fitted`,
  );
  done("walked");
}

/** Insert latents one at a time: those that gain and lose most, and some of all. */
async function reportInsertions({ name: family, saes }, sizes) {
  const [smaller, larger] = sizes.map((size) => saes.get(size));
  const { latents } = await label(smaller, larger, making.source, kernels);
  const count = 20;
  const order = Array.from(latents.deltaMse.keys())
    .filter((j) => latents.verdict[j] !== "dead")
    .sort((a, b) => latents.deltaMse[a] - latents.deltaMse[b]);
  const middle = order.slice(count, -count);
  const groups = [
    ["most novel", order.slice(0, count)],
    [
      "evenly spread between",
      Array.from({ length: count }, (_, i) => middle[Math.floor(((i + 0.5) * middle.length) / count)]),
    ],
    ["reconstruction, worst", order.slice(-count)],
  ];
  const host = Array.from({ length: smaller.decoder.rows }, (_, latent) => ({ sae: 0, latent }));
  const withLatent = (latent) =>
    mergeSaes([smaller, larger], [...host, { sae: 1, latent }], { decoderBias: smaller.decoderBias });
  const entries = [{ name: "host", sae: smaller }];
  for (const [, chosen] of groups) for (const j of chosen) entries.push({ name: `${j}`, sae: withLatent(j) });
  const { byName, sums } = await chain.measure(entries, fewStories);
  const before = byName.get("host").mse;
  const changes = (chosen) =>
    chosen.map((j) => ({ mse: byName.get(`${j}`).mse - before, ce: lossDifference(sums, `${j}`, "host") }));
  const rows = [...groups, ["all", groups.flatMap(([, chosen]) => chosen)]].map(([name, chosen]) => {
    const of = changes(chosen);
    const agree = of.filter(({ mse, ce }) => mse < 0 === ce.value < 0).length;
    const isSure = ({ ce }) => Math.abs(ce.value) > 2 * ce.standardError;
    const share = agree / of.length;
    return [
      name,
      of.length,
      signed(mean(of.map(({ mse }) => mse)), 6),
      signed(mean(of.map(({ ce }) => ce.value)), 5),
      of.filter(({ mse }) => mse < 0).length,
      of.filter(({ ce }) => ce.value < 0).length,
      `${of.filter((one) => isSure(one) && one.ce.value < 0).length} / ${of.filter((one) => isSure(one) && one.ce.value > 0).length}`,
      `${percent(share)} ± ${percent(Math.sqrt((share * (1 - share)) / of.length))}`,
      signTest(agree, of.length).toPrecision(1),
      spearman(
        of.map(({ mse }) => mse),
        of.map(({ ce }) => ce.value),
      ).toFixed(2),
    ];
  });
  console.log(`\n${family}, latents of ${sizes[1]} inserted alone into ${sizes[0]}; ${fewStories} stories\n`);
  printTable(
    [
      ...["latents", "number", "mean change of MSE", "mean change of CE", "MSE falls", "CE falls"],
      ...["CE falls / rises by over 2 SE", "signs agree ± SE", "sign test, p", "rank correlation"],
    ],
    rows,
  );
  done("inserted");
}

/** The first rows of a sample. */
function firstRows(source, count) {
  const rows = Math.min(count, source.rows);
  return { ...source, rows, batches: (options) => source.batches({ end: rows, ...options }) };
}

/** The rows that count among the first of a sample, as one matrix. */
async function readRows(source, count) {
  for await (const batch of source.batches({ end: count, batchRows: count }))
    return usableRows(batch, source.location).activations;
}

/** Pool ids, ascending, of what the dictionary holds after some steps from the first SAE of the pool towards the second. */
function latentsAfter(steps, { starts }) {
  const ids = new Set(Array.from({ length: starts[1] }, (_, id) => id));
  for (const { remove, insert } of steps) {
    for (const latent of remove) ids.delete(latent);
    for (const latent of insert) ids.add(starts[1] + latent);
  }
  return Int32Array.from(ids).sort();
}

function rowsOf(matrix, ids) {
  const values = new Float32Array(ids.length * matrix.columns);
  ids.forEach((id, j) => {
    values.set(row(matrix, id), j * matrix.columns);
  });
  return { rows: ids.length, columns: matrix.columns, values };
}

/** The floor below which activations times the length of their direction are dropped so that at most `l0` a token are left; 0 where none need be. */
function floorFor({ rows, indices, values }, directions, l0) {
  const lengths = Array.from({ length: directions.rows }, (_, j) => Math.hypot(...row(directions, j)));
  const strengths = Float64Array.from(values, (value, e) => value * lengths[indices[e]]).sort();
  const most = Math.round(l0 * rows);
  return strengths.length <= most ? 0 : strengths[strengths.length - most - 1];
}

/** The SAE with the directions and the bias that are best for a sample, by least squares. */
async function refitted(sae, sample, code) {
  const outputScale = new Float32Array(sample.rows).fill(1);
  let { decoder, decoderBias } = sae;
  for await (const progress of refitDecoder({ target: sample, outputScale, code }, decoder, kernels))
    ({ directions: decoder, bias: decoderBias } = progress.decoder);
  return { ...sae, decoder, decoderBias };
}

/** Spearman's rank correlation; no two values are equal. */
function spearman(a, b) {
  const ranks = (values) => {
    const order = Array.from(values.keys()).sort((i, j) => values[i] - values[j]);
    const rank = new Array(values.length);
    order.forEach((i, at) => {
      rank[i] = at;
    });
    return rank;
  };
  const [ofA, ofB] = [ranks(a), ranks(b)];
  const n = a.length;
  const squares = ofA.reduce((sum, rank, i) => sum + (rank - ofB[i]) ** 2, 0);
  return 1 - (6 * squares) / (n * (n * n - 1));
}

/** Two-sided p-value of `hits` of `count` where both outcomes are equally likely. */
function signTest(hits, count) {
  const most = Math.max(hits, count - hits);
  let ways = 1;
  let tail = 0;
  for (let k = 0; k <= count - most; k++) {
    tail += ways;
    ways = (ways * (count - k)) / (k + 1);
  }
  return Math.min(1, (2 * tail) / 2 ** count);
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function estimate({ value, standardError }, isSigned = false) {
  return `${isSigned ? signed(value, 4) : value.toFixed(4)} ± ${standardError.toFixed(4)}`;
}

function signed(value, decimals) {
  return `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(decimals)}`;
}
