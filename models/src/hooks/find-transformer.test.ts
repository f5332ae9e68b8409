import { describe, expect, test } from "vitest";
import { makeModel } from "../onnx/make-model.ts";
import { makeNode } from "../onnx/make-node.ts";
import { makeFloatTensor } from "../onnx/make-tensor.ts";
import { makeValue } from "../onnx/make-value.ts";
import { elementTypes, type OnnxModel, type OnnxNode } from "../onnx/onnx-model.ts";
import { findTransformer } from "./find-transformer.ts";

/** A graph that is written down as a computation; values have names without a meaning. */
class Sketch {
  readonly tokens = "tokens";
  readonly #nodes: OnnxNode[] = [];
  readonly #initializers = [makeFloatTensor("weight", [1], [1])];

  node(opType: string, ...inputs: string[]): string {
    const output = `value ${this.#nodes.length}`;
    this.#nodes.push(makeNode(opType, inputs, [output]));
    return output;
  }

  embed = () => this.node("Gather", "weight", this.tokens);
  add = (a: string, b: string) => this.node("Add", a, b);
  linear = (x: string) => this.node("MatMul", x, "weight");
  norm = (x: string) => this.node("LayerNormalization", x, "weight", "weight");
  rmsNorm = (x: string) => this.node("SimplifiedLayerNormalization", x, "weight");
  mlp = (x: string) => this.linear(this.node("Relu", this.linear(x)));

  /** What the output projection reads, and returns. */
  attention(
    x: string,
    { keysOf = x }: { readonly keysOf?: string } = {},
  ): { readonly z: string; readonly out: string } {
    const scores = this.node("MatMul", this.linear(x), this.node("Transpose", this.linear(keysOf)));
    const weights = this.node("Softmax", this.node("Add", scores, this.node("Unsqueeze", "mask")));
    const z = this.node("Reshape", this.node("MatMul", weights, this.linear(keysOf)), "weight");
    return { z, out: this.linear(z) };
  }

  /** A sequential block, and the values of its places. */
  block(pre: string): Record<string, string> & { readonly post: string } {
    const { z, out } = this.attention(this.norm(pre));
    const mid = this.add(pre, out);
    const mlp = this.mlp(this.norm(mid));
    return { pre, z, out, mid, mlp, post: this.add(mlp, mid) };
  }

  /** The graph whose last value is the unembedding of `x`. */
  model(x: string): OnnxModel {
    const logits = this.linear(x);
    return makeModel({
      nodes: this.#nodes,
      initializers: this.#initializers,
      inputs: [this.tokens, "mask"].map((name) => makeValue(name, elementTypes.int64, ["b", "t"])),
      outputs: [makeValue(logits, elementTypes.float32, ["b", "t", 1])],
    });
  }
}

const placesOf = (model: OnnxModel) => Object.fromEntries(findTransformer(model)?.places ?? []);

describe("findTransformer()", () => {
  test("names the places of sequential blocks, block by block, from the embedding on", () => {
    const sketch = new Sketch();
    const embedding = sketch.add(sketch.embed(), sketch.embed());
    const first = sketch.block(embedding);
    const second = sketch.block(first.post);
    const found = findTransformer(sketch.model(sketch.norm(second.post)))!;
    expect(found).toMatchObject({ blocks: 2, normalization: "layer", embedding, notes: [] });
    expect([...found.places]).toEqual(
      [first, second].flatMap(({ pre, z, out, mid, mlp, post }, block) => [
        [`blocks.${block}.hook_resid_pre`, pre],
        [`blocks.${block}.attn.hook_z`, z],
        [`blocks.${block}.hook_attn_out`, out],
        [`blocks.${block}.hook_resid_mid`, mid],
        [`blocks.${block}.hook_mlp_out`, mlp],
        [`blocks.${block}.hook_resid_post`, post],
      ]),
    );
  });

  const associations: readonly [string, (sketch: Sketch, x: string, a: string, m: string) => string][] = [
    ["(mlp + attention) + stream", (sketch, x, a, m) => sketch.add(sketch.add(m, a), x)],
    ["stream + (attention + mlp)", (sketch, x, a, m) => sketch.add(x, sketch.add(a, m))],
    ["mlp + (attention + stream)", (sketch, x, a, m) => sketch.add(m, sketch.add(a, x))],
    ["(stream + mlp) + attention", (sketch, x, a, m) => sketch.add(sketch.add(x, m), a)],
    ["one sum of three", (sketch, x, a, m) => sketch.node("Sum", a, x, m)],
    [
      "a cast between",
      (sketch, x, a, m) => sketch.add(sketch.node("Cast", sketch.add(a, m)), sketch.node("Cast", x)),
    ],
  ];
  test.each(associations)("knows attention and MLP side by side as %s", (_, sum) => {
    const sketch = new Sketch();
    const embedding = sketch.embed();
    const { z, out } = sketch.attention(sketch.norm(embedding));
    const mlp = sketch.mlp(sketch.norm(embedding));
    const post = sum(sketch, embedding, out, mlp);
    const next = sketch.block(post);
    const model = sketch.model(sketch.norm(next.post));
    expect(findTransformer(model)).toMatchObject({ blocks: 2, normalization: "layer", notes: [] });
    expect(placesOf(model)).toMatchObject({
      "blocks.0.hook_resid_pre": embedding,
      "blocks.0.attn.hook_z": z,
      "blocks.0.hook_attn_out": out,
      "blocks.0.hook_mlp_out": mlp,
      "blocks.0.hook_resid_post": post,
      "blocks.1.hook_mlp_out": next.mlp,
    });
    expect(placesOf(model)).not.toHaveProperty(["blocks.0.hook_resid_mid"]);
  });

  test("names what is added after a norm of it, and beside it what the modules return", () => {
    const sketch = new Sketch();
    const embedding = sketch.node("Mul", sketch.embed(), "weight");
    const { out } = sketch.attention(sketch.rmsNorm(embedding));
    const attentionOut = sketch.rmsNorm(out);
    const mid = sketch.add(embedding, attentionOut);
    const mlp = sketch.mlp(sketch.rmsNorm(mid));
    const mlpOut = sketch.rmsNorm(mlp);
    const found = findTransformer(sketch.model(sketch.rmsNorm(sketch.add(mid, mlpOut))))!;
    expect(found).toMatchObject({ blocks: 1, normalization: "rms", notes: [] });
    expect(Object.fromEntries(found.places)).toMatchObject({
      "blocks.0.hook_attn_out": attentionOut,
      "blocks.0.hook_mlp_out": mlpOut,
    });
    expect(Object.fromEntries(found.further)).toEqual({
      hook_embed: embedding,
      "embed.hook_out": "value 0",
      "blocks.0.attn.hook_out": out,
      "blocks.0.mlp.hook_out": mlp,
    });
  });

  test("takes fused attention for attention, and the softmax of a mixture of experts not", () => {
    const sketch = new Sketch();
    const embedding = sketch.embed();
    const normed = sketch.norm(embedding);
    const z = sketch.node(
      "GroupQueryAttention",
      sketch.linear(normed),
      sketch.linear(normed),
      sketch.linear(normed),
    );
    const out = sketch.linear(z);
    const mid = sketch.add(embedding, out);
    const read = sketch.norm(mid);
    const mixture = sketch.node("Mul", sketch.node("Softmax", sketch.linear(read)), sketch.mlp(read));
    const model = sketch.model(sketch.norm(sketch.add(mid, mixture)));
    expect(placesOf(model)).toMatchObject({ "blocks.0.attn.hook_z": z, "blocks.0.hook_mlp_out": mixture });
  });

  test("names values before they are cast, quantised or reshaped", () => {
    const sketch = new Sketch();
    const embedding = sketch.embed();
    const { z, out } = sketch.attention(sketch.norm(sketch.node("Cast", embedding)));
    const quantized = sketch.node("QuantizeLinear", out, "weight");
    const post = sketch.add(
      sketch.node("Reshape", embedding, "weight"),
      sketch.node("DequantizeLinear", quantized, "weight"),
    );
    expect(placesOf(sketch.model(sketch.norm(sketch.node("Cast", post))))).toEqual({
      "blocks.0.hook_resid_pre": embedding,
      "blocks.0.attn.hook_z": z,
      "blocks.0.hook_attn_out": out,
      "blocks.0.hook_resid_post": post,
    });
  });

  test("names what small integers stand for, not them", () => {
    const sketch = new Sketch();
    const embedding = sketch.node("DequantizeLinear", sketch.embed(), "weight");
    const post = sketch.add(embedding, sketch.attention(sketch.norm(embedding)).out);
    expect(placesOf(sketch.model(post))["blocks.0.hook_resid_pre"]).toBe(embedding);
  });

  test("takes no sum within an MLP for a residual one", () => {
    const sketch = new Sketch();
    const { post } = sketch.block(sketch.embed());
    const x = sketch.linear(post);
    const gelu = sketch.node("Mul", x, sketch.node("Tanh", sketch.add(x, sketch.node("Pow", x, "weight"))));
    const head = sketch.add(gelu, sketch.node("Mul", gelu, "weight"));
    expect(findTransformer(sketch.model(head))).toMatchObject({ blocks: 1 });
  });

  test.each([1, 2, 3])(
    "goes through %d blocks where a value from before them is added after them",
    (blocks) => {
      const sketch = new Sketch();
      const embedding = sketch.embed();
      let post = embedding;
      for (let block = 0; block < blocks; block++) post = sketch.block(post).post;
      const found = findTransformer(sketch.model(sketch.norm(sketch.add(post, embedding))))!;
      expect(found).toMatchObject({ blocks, embedding });
      expect(found.places.get(`blocks.${blocks - 1}.hook_resid_post`)).toBe(post);
    },
  );

  test("lets attention read what is not of its own block", () => {
    const sketch = new Sketch();
    const first = sketch.block(sketch.embed());
    const { z, out } = sketch.attention(sketch.norm(first.post), { keysOf: sketch.norm(first.pre) });
    const mid = sketch.add(first.post, out);
    const model = sketch.model(sketch.norm(sketch.add(mid, sketch.mlp(sketch.norm(mid)))));
    expect(placesOf(model)).toMatchObject({ "blocks.1.attn.hook_z": z, "blocks.1.hook_resid_mid": mid });
  });

  test("numbers no blocks behind others that it lost sight of", () => {
    const sketch = new Sketch();
    const { pre, post } = sketch.block(sketch.embed());
    const mixed = sketch.add(sketch.node("Mul", post, "weight"), sketch.node("Mul", pre, "weight"));
    const found = findTransformer(sketch.model(sketch.norm(sketch.block(mixed).post)))!;
    expect(found).toMatchObject({ blocks: 0, embedding: mixed });
    expect(found.places.size).toBe(0);
    expect(found.notes).toEqual([expect.stringContaining(`attention before ${mixed}`)]);
  });

  test("says of blocks that normalise their sum that they have no residual stream", () => {
    const sketch = new Sketch();
    let x = sketch.norm(sketch.embed());
    for (let block = 0; block < 2; block++) {
      x = sketch.norm(sketch.add(x, sketch.attention(x).out));
      x = sketch.norm(sketch.add(sketch.mlp(x), x));
    }
    const found = findTransformer(sketch.model(x))!;
    expect(found).toMatchObject({ blocks: 0, normalization: "unknown" });
    expect(found.places.size).toBe(0);
    expect(found.notes).toEqual([expect.stringContaining("normalise the sum")]);
  });

  test("names the blocks before the first that is not attention and MLP", () => {
    const sketch = new Sketch();
    const { post } = sketch.block(sketch.embed());
    const twice = sketch.add(post, sketch.attention(sketch.norm(post)).out);
    const thrice = sketch.add(twice, sketch.attention(sketch.norm(twice)).out);
    const found = findTransformer(sketch.model(sketch.norm(sketch.add(thrice, sketch.mlp(thrice)))))!;
    expect(found.blocks).toBe(1);
    expect([...found.places.keys()].every((name) => name.startsWith("blocks.0."))).toBe(true);
    expect(found.notes[0]).toContain("Of 5 sums of the residual stream the last 3 are not named");
  });

  test("calls a stream that something reads without a norm neither", () => {
    const sketch = new Sketch();
    const { post } = sketch.block(sketch.embed());
    const model = sketch.model(sketch.node("Mul", sketch.norm(post), sketch.linear(post)));
    expect(findTransformer(model)).toMatchObject({
      blocks: 1,
      normalization: "unknown",
      notes: [expect.stringContaining("not normalised in one way")],
    });
  });

  test("knows norms that are written out", () => {
    const sketch = new Sketch();
    const rms = (x: string) =>
      sketch.node("Mul", x, sketch.node("Sqrt", sketch.node("ReduceMean", sketch.node("Pow", x, "weight"))));
    const layer = (x: string) => {
      const centred = sketch.node("Sub", x, sketch.node("ReduceMean", x));
      return sketch.node(
        "Div",
        centred,
        sketch.node("Sqrt", sketch.node("ReduceMean", sketch.node("Pow", centred, "weight"))),
      );
    };
    for (const [norm, normalization] of [
      [rms, "rms"],
      [layer, "layer"],
    ] as const) {
      const embedding = sketch.embed();
      const post = sketch.add(embedding, sketch.attention(norm(embedding)).out);
      expect(findTransformer(sketch.model(norm(post)))).toMatchObject({ blocks: 1, normalization });
    }
  });

  const none: readonly [string, (sketch: Sketch) => string][] = [
    ["a graph without sums", (sketch) => sketch.mlp(sketch.embed())],
    [
      "sums of nothing that comes from the other",
      (sketch) => sketch.add(sketch.embed(), sketch.linear(sketch.tokens)),
    ],
    [
      "a residual network of MLPs alone",
      (sketch) => {
        const x = sketch.embed();
        const y = sketch.add(x, sketch.mlp(x));
        return sketch.add(y, sketch.mlp(y));
      },
    ],
    [
      "sums that hold the stream twice",
      (sketch) => {
        const x = sketch.embed();
        return sketch.add(sketch.add(x, sketch.attention(x).out), sketch.add(x, sketch.mlp(x)));
      },
    ],
    ["attention without a residual stream", (sketch) => sketch.attention(sketch.embed()).out],
  ];
  test.each(none)("finds none in %s", (_, build) => {
    const sketch = new Sketch();
    expect(findTransformer(sketch.model(build(sketch)))).toBeUndefined();
  });

  test("comes to an end on graphs that are no computations", () => {
    const loop = [
      makeNode("Add", ["a", "b"], ["b"]),
      makeNode("Add", ["b", "c"], ["a"]),
      makeNode("MatMul", ["a", "b"], ["c"]),
    ];
    const outputs = ["b", "c", "nothing"].map((name) => makeValue(name, elementTypes.float32, []));
    expect(findTransformer(makeModel({ nodes: loop, inputs: [], outputs }))).toBeUndefined();
    expect(findTransformer(makeModel({ nodes: [], inputs: [], outputs: [] }))).toBeUndefined();
  });

  test("is not slowed down by tens of thousands of sums", () => {
    const sketch = new Sketch();
    let x = sketch.embed();
    for (let i = 0; i < 20_000; i++) x = sketch.add(x, sketch.node("Tanh", x));
    expect(findTransformer(sketch.model(x))).toBeUndefined();
  });
});
