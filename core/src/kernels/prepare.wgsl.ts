/**
 * Lay out rows for the screen: [rows × columns] becomes [columns, filled up with zeros to a multiple of 16 × stride], so that
 * neighbouring threads read neighbouring rows; and take down of every row an upper bound of its length, and what else its
 * products may be off by.
 *
 * WGSL may take NaN and infinite values not to exist, so rows are read as integers. A row whose largest value lies outside of
 * [2^-40, 2^30] (NaN and infinite ones look larger) is laid out as zero, with an error above every floor; a zero row has length 0 and no error.
 */
export const prepareShader = /* wgsl */ `
struct Batch {
  rows: u32,
  columns: u32,
  first: u32,
  stride: u32,
}

@group(0) @binding(0) var<uniform> batch: Batch;
@group(0) @binding(1) var<storage, read> values: array<u32>;
@group(0) @binding(2) var<storage, read_write> packed: array<u32>;
@group(0) @binding(3) var<storage, read_write> about: array<f32>;

const SIDE = 32u;
const LEAST = 0x2b800000u; // 2^-40
const MOST = 0x4e800000u; // 2^30
const UNKNOWN = 0x1p110f;

var<workgroup> tile: array<u32, 1056>;
var<workgroup> squares: array<f32, 1024>;
var<workgroup> largest: array<u32, 1024>;
var<workgroup> usable: array<u32, 32>;

@compute @workgroup_size(32, 2)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let start = group.x * SIDE;
  for (var r = local.y; r < SIDE; r += 2u) {
    var sum = 0f;
    var top = 0u;
    if (start + r < batch.rows) {
      for (var k = local.x; k < batch.columns; k += SIDE) {
        let size = values[(start + r) * batch.columns + k] & 0x7fffffffu;
        top = max(top, size);
        let value = bitcast<f32>(select(size, 0u, size > MOST));
        sum += value * value;
      }
    }
    squares[r * SIDE + local.x] = sum;
    largest[r * SIDE + local.x] = top;
  }
  workgroupBarrier();

  if (local.y == 0u) {
    let r = local.x;
    var sum = 0f;
    var top = 0u;
    for (var i = 0u; i < SIDE; i++) {
      sum += squares[r * SIDE + i];
      top = max(top, largest[r * SIDE + i]);
    }
    let fits = top >= LEAST && top <= MOST;
    usable[r] = u32(fits);
    if (start + r < batch.rows) {
      // As much longer as rounding may have made it shorter.
      let length = sqrt(sum) * (1f + f32(batch.columns + 64u) * 0x1p-22f);
      let at = batch.first + start + r;
      about[at] = select(0f, length, fits);
      about[batch.stride + at] = select(UNKNOWN, 0f, fits || top == 0u);
    }
  }
  workgroupBarrier();

  let padded = (batch.columns + 15u) / 16u * 16u;
  for (var base = 0u; base < padded; base += SIDE) {
    for (var r = local.y; r < SIDE; r += 2u) {
      let k = base + local.x;
      var value = 0u;
      if (start + r < batch.rows && k < batch.columns && usable[r] == 1u) {
        value = values[(start + r) * batch.columns + k];
      }
      tile[r * (SIDE + 1u) + local.x] = value;
    }
    workgroupBarrier();
    for (var i = local.y; i < SIDE; i += 2u) {
      if (base + i < padded && start + local.x < batch.rows) {
        packed[(base + i) * batch.stride + batch.first + start + local.x] = tile[local.x * (SIDE + 1u) + i];
      }
    }
    workgroupBarrier();
  }
}
`;
