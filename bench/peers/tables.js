// The results as Markdown.
import { median } from "./compare-case.js";

export function printTimingHead() {
  console.log(
    "| what | threads | ours | ms | PyTorch, ms | allocator tuned, ms | × PyTorch | × tuned | aim | against PyTorch | against tuned |",
  );
  console.log("| --- | ---: | --- | --- | --- | --- | ---: | ---: | ---: | --- | --- |");
}

/** One engine on one case. */
export function printTiming({ what, threads, own, torch, aim }) {
  const ratios = torch.map(({ seconds }) => median(seconds) / median(own.seconds));
  const cells = [
    what,
    threads,
    own.engine,
    spread(own.seconds, 1000),
    ...torch.map(({ seconds }) => spread(seconds, 1000)),
    ...ratios.map((ratio) => `${ratio.toFixed(2)}×`),
    aim === undefined ? "" : `≥ ${aim}×`,
    ...ratios.map((ratio) => judge(ratio, aim)),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

/** The encoder product as a share of the machine's peak; 2 · b · d · m operations, however they are done. */
export function printProducts(rows) {
  const products = rows.filter(({ op, peak }) => op === "product" && peak.length > 0);
  if (products.length === 0) return;
  console.log("\n| product | threads | ours | GFLOP/s | machine's peak | share | aim | PyTorch's share |");
  console.log("| --- | ---: | --- | --- | --- | ---: | --- | ---: |");
  for (const { what, threads, own, torch, peak, shape } of products) {
    const operations = (2 * shape.b * shape.d * shape.m) / 1e9;
    const rate = ({ seconds }) => seconds.map((one) => operations / one);
    const share = (side) => median(rate(side)) / median(peak);
    const aim = own.engine !== "wasm" && shape.m >= 24_576 ? 0.85 : undefined;
    const cells = [
      what,
      threads,
      own.engine,
      spread(rate(own)),
      spread(peak),
      `${(100 * share(own)).toFixed(0)} %`,
      aim === undefined ? "" : `≥ 85 %: ${judge(share(own), aim)}`,
      `${(100 * Math.max(...torch.map(share))).toFixed(0)} %`,
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

/** Memory beyond inputs and outputs. */
export function printMemory(rows) {
  if (rows.length === 0) return;
  console.log("\n| memory beyond inputs and outputs | threads | ours | MiB | aim | | PyTorch, MiB |");
  console.log("| --- | ---: | --- | ---: | --- | --- | ---: |");
  for (const { what, threads, engine, mebibytes, torch } of rows) {
    const verdict = mebibytes <= 64 ? "met" : `missed by ${(mebibytes - 64).toFixed(0)} MiB`;
    console.log(
      `| ${what} | ${threads} | ${engine} | ${mebibytes.toFixed(1)} | ≤ 64 | ${verdict} | ${torch.mebibytes.toFixed(0)} (${torch.formulation}) |`,
    );
  }
}

/** Which formulation was PyTorch's fastest, and how many activations both sides found. */
export function printRemarks(rows) {
  console.log("\nPyTorch's fastest formulation, as installed and with the allocator tuned:");
  for (const [at, { what, threads, own, torch }] of rows.entries()) {
    if (at > 0 && rows[at - 1].what === what && rows[at - 1].threads === threads) continue;
    const chosen = [...new Set(torch.map(({ formulation }) => formulation))].join(" | ");
    const found =
      own.entries === undefined
        ? ""
        : `; activations found: ours ${own.entries}, PyTorch's ${torch[0].entries}`;
    console.log(`- ${what}, ${threads} thread${threads === 1 ? "" : "s"}: ${chosen}${found}`);
  }
}

function judge(ratio, aim) {
  if (aim === undefined) return "";
  return ratio >= aim ? "met" : `missed by ${(100 * (1 - ratio / aim)).toFixed(0)} %`;
}

function spread(numbers, scale = 1) {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return `${milliseconds(scale * median(numbers))} [${milliseconds(scale * low)} … ${milliseconds(scale * high)}]`;
}

function milliseconds(number) {
  return number.toFixed(number < 10 ? 2 : number < 100 ? 1 : 0);
}
