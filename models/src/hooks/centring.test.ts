import { expect, test } from "vitest";
import { centringAt } from "./centring.ts";

test.each(["hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out"])(
  "centringAt() centres %s of a model that reads it through LayerNorm, and of no other",
  (place) => {
    expect(centringAt(`blocks.8.${place}`, "layer")).toMatchObject({ applies: true });
    expect(centringAt(`blocks.8.${place}`, "rms")).toMatchObject({ applies: false });
    expect(centringAt(`blocks.8.${place}`, "unknown")).toMatchObject({ applies: false });
  },
);

test("centringAt() centres nothing that is not written to the residual stream", () => {
  expect(centringAt("blocks.8.attn.hook_z", "layer")).toEqual({
    applies: false,
    reason: "blocks.8.attn.hook_z is not written to the residual stream, and centring changes nothing else",
  });
  expect(centringAt("blocks.8.mlp.hook_out", "layer").applies).toBe(false);
  expect(centringAt(undefined, "layer").applies).toBe(false);
});

test("centringAt() centres the embedding, which begins the residual stream", () => {
  expect(centringAt("hook_embed", "layer").applies).toBe(true);
});
