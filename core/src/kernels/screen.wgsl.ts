/** A square of products that a workgroup makes, and how many threads it has on a side. */
export interface Tile {
  readonly size: number;
  readonly threads: number;
}

/** Strides are multiples of its size. */
export const LARGE_TILE: Tile = { size: 128, threads: 16 };
/** For where large ones would leave most of the device idle. */
export const SMALL_TILE: Tile = { size: 32, threads: 8 };

/**
 * Products of rows with latents, tile by tile, each held against the floors.
 *
 * A thread makes, in each square of 4 · threads × 4 · threads that the tile consists of, 4 × 4 sums: rows 4·y to 4·y + 3, latents 4·x to
 * 4·x + 3. What may pass is appended to the candidates; in the slots of a row, if it has any, is noted what its latents surely reach.
 */
export function screenShader({ size, threads }: Tile): string {
  const numbers = (length: number) => Array.from({ length }, (_, i) => i);
  const span = 4 * threads;
  const squares = numbers(size / span);
  const sums = numbers(size / threads);
  const loads = numbers((4 * size) / threads ** 2);
  const each = <Item>(items: readonly Item[], text: (item: Item) => string) => items.map(text).join("\n");
  return /* wgsl */ `
struct Shape {
  rowStride: u32,
  latentStride: u32,
  steps: u32,
  firstLatent: u32,
  slots: u32,
  // Room for candidates; when there is none, nothing is listed nor counted.
  capacity: u32,
  error: f32,
}

struct Candidates {
  count: atomic<u32>,
  // Row, latent and upper bound of each.
  entries: array<u32>,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> rows: array<vec4f>;
@group(0) @binding(2) var<storage, read> latents: array<vec4f>;
// Lengths, then errors.
@group(0) @binding(3) var<storage, read> aboutRows: array<f32>;
@group(0) @binding(4) var<storage, read> aboutLatents: array<vec4f>;
// Biases, then their errors, then floors.
@group(0) @binding(5) var<storage, read> latentValues: array<vec4f>;
@group(0) @binding(6) var<storage, read> rowFloor: array<f32>;
@group(0) @binding(7) var<storage, read_write> slots: array<atomic<u32>>;
@group(0) @binding(8) var<storage, read_write> candidates: Candidates;

const QUADS = ${size / 4}u;
const SLAB = 16u;
const LOWEST = -0x1p120f;

var<workgroup> rowTile: array<vec4f, ${4 * size}>;
var<workgroup> latentTile: array<vec4f, ${4 * size}>;

/* An integer that is larger for larger values, and never zero. */
fn orderOf(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn list(row: u32, latent: u32, upper: vec4f, passes: vec4<bool>) {
  for (var lane = 0u; lane < 4u; lane++) {
    if (passes[lane]) {
      let place = atomicAdd(&candidates.count, 1u);
      if (place < shape.capacity) {
        candidates.entries[3u * place] = row;
        candidates.entries[3u * place + 1u] = shape.firstLatent + latent + lane;
        candidates.entries[3u * place + 2u] = bitcast<u32>(upper[lane]);
      }
    }
  }
}

@compute @workgroup_size(${threads}, ${threads})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let rowQuads = shape.rowStride / 4u;
  let latentQuads = shape.latentStride / 4u;
${each(
  loads,
  (s) => `
  let place${s} = index + ${s * threads ** 2}u;
  var rowAt${s} = place${s} / QUADS * rowQuads + group.y * QUADS + place${s} % QUADS;
  var latentAt${s} = place${s} / QUADS * latentQuads + group.x * QUADS + place${s} % QUADS;
  var nextRow${s} = rows[rowAt${s}];
  var nextLatent${s} = latents[latentAt${s}];`,
)}
${each(sums, (i) => each(squares, (s) => `  var sum${i}_${s} = vec4f();`))}

  for (var step = 1u; step <= shape.steps; step++) {
    workgroupBarrier();
${each(
  loads,
  (s) => `
    rowTile[place${s}] = nextRow${s};
    latentTile[place${s}] = nextLatent${s};`,
)}
    workgroupBarrier();
    // The next slab is on its way while this one is worked on.
    if (step < shape.steps) {
${each(
  loads,
  (s) => `
      rowAt${s} += SLAB * rowQuads;
      latentAt${s} += SLAB * latentQuads;
      nextRow${s} = rows[rowAt${s}];
      nextLatent${s} = latents[latentAt${s}];`,
)}
    }
    for (var k = 0u; k < SLAB; k++) {
${each(
  squares,
  (s) => `
      let x${s} = rowTile[k * QUADS + ${threads * s}u + local.y];
      let w${s} = latentTile[k * QUADS + ${threads * s}u + local.x];`,
)}
${each(sums, (i) => each(squares, (s) => `      sum${i}_${s} += x${i >> 2}[${i % 4}] * w${s};`))}
    }
  }

  // A latent comes to the same slot every time, so no latent counts twice.
  let slot = ((shape.firstLatent / ${size}u + group.x) * ${threads}u + local.x) % max(shape.slots, 1u);
${each(
  squares,
  (s) => `
  let quad${s} = group.x * QUADS + ${threads * s}u + local.x;
  let length${s} = shape.error * aboutLatents[quad${s}];
  let bias${s} = latentValues[quad${s}];
  let error${s} = aboutLatents[latentQuads + quad${s}] + latentValues[latentQuads + quad${s}];
  let floor${s} = latentValues[2u * latentQuads + quad${s}];`,
)}
  // Found by number here, the sums leave their registers: above they must not.
  var all = array(${sums.map((i) => `array(${squares.map((s) => `sum${i}_${s}`).join(", ")})`).join(", ")});
  for (var i = 0u; i < ${sums.length}u; i++) {
    let row = group.y * ${size}u + i / 4u * ${span}u + 4u * local.y + i % 4u;
    let above = rowFloor[row];
    let rowLength = aboutRows[row];
    let rowError = aboutRows[shape.rowStride + row];
    var surely = LOWEST;
${each(
  squares,
  (s) => `
    {
      let value = all[i][${s}] + bias${s};
      let reach = rowLength * length${s} + (rowError + error${s});
      let least = max(floor${s}, vec4f(above));
      let upper = value + reach;
      let passes = upper >= least;
      if (shape.capacity > 0u && any(passes)) {
        list(row, 4u * quad${s}, upper, passes);
      }
      if (shape.slots > 0u) {
        let lower = value - reach;
        let known = select(vec4f(LOWEST), lower, lower > least);
        surely = max(surely, max(max(known.x, known.y), max(known.z, known.w)));
      }
    }`,
)}
    if (shape.slots > 0u && surely > LOWEST) {
      atomicMax(&slots[slot * shape.rowStride + row], orderOf(surely));
    }
  }
}
`;
}
