/** Rows that a workgroup takes. */
export const RAISED_ROWS = 64;

/**
 * Raise the floor of every row to the `top`-th largest of its slots, rounded down to 20 bits. Slots [slots × stride] hold, of latents no two of
 * which share a slot, what their pre-activations surely reach; empty ones hold zero.
 */
export const raiseShader = /* wgsl */ `
struct Ranking {
  rows: u32,
  stride: u32,
  slots: u32,
  top: u32,
}

@group(0) @binding(0) var<uniform> ranking: Ranking;
@group(0) @binding(1) var<storage, read> slots: array<u32>;
@group(0) @binding(2) var<storage, read_write> rowFloor: array<f32>;

/* The other way of orderOf() in the screen. */
fn valueOf(order: u32) -> f32 {
  return bitcast<f32>(select(~order, order & 0x7fffffffu, order >= 0x80000000u));
}

@compute @workgroup_size(${RAISED_ROWS})
fn main(@builtin(global_invocation_id) thread: vec3u) {
  let row = thread.x;
  if (row >= ranking.rows) {
    return;
  }
  // The largest number that enough slots reach, bit by bit.
  var found = 0u;
  for (var bit = 0x80000000u; bit >= 0x1000u; bit >>= 1u) {
    var count = 0u;
    for (var slot = 0u; slot < ranking.slots; slot++) {
      count += u32(slots[slot * ranking.stride + row] >= (found | bit));
    }
    if (count >= ranking.top) {
      found |= bit;
    }
  }
  if (found > 0u) {
    rowFloor[row] = max(rowFloor[row], valueOf(found));
  }
}
`;
