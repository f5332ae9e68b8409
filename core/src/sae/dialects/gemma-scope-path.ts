/** What the path of a Gemma Scope SAE says of it. */
export interface GemmaScopePath {
  readonly modelName?: string;
  readonly hook?: string;
  readonly statedL0?: number;
  /** Trained on embeddings scaled by √d, and to be used on embeddings as they are. */
  readonly embedding: boolean;
  /** The kind of the SAE by its folder or repository, when that is not an autoencoder. */
  readonly otherKind?: string;
}

/**
 * Read layer, model, place and L0 from a path such as
 * `hf:google/gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82@main`, of which a local copy may hold only the end.
 */
export function parseGemmaScopePath(location: string): GemmaScopePath {
  const path = location.replaceAll("\\", "/");
  const layer = /(?:^|\/)layer_(\d+)/.exec(path)?.[1];
  const l0 = /(?:^|\/)average_l0_(\d+)/.exec(path)?.[1];
  const [, size, stage, place] =
    /gemma-scope-(\d+b)-(pt|it)-(res|mlp|att|transcoders)(?=[/@]|$)/.exec(path) ?? [];
  const embedding = /(?:^|\/)embedding\/width_/.test(path);
  const hook = embedding ? "hook_embed" : hookOf(place, layer);
  const otherKind =
    place === "transcoders"
      ? "transcoder"
      : /(?:^|\/)(transcoder|clt|crosscoder)[^/]*\/layer_\d+_width_[^/]*$/.exec(path)?.[1];
  return {
    ...(size !== undefined && { modelName: `gemma-2-${size}${stage === "it" ? "-it" : ""}` }),
    ...(hook !== undefined && { hook }),
    ...(l0 !== undefined && { statedL0: Number(l0) }),
    embedding,
    ...(otherKind !== undefined && { otherKind }),
  };
}

function hookOf(place: string | undefined, layer: string | undefined): string | undefined {
  if (layer === undefined) return undefined;
  switch (place) {
    case "res":
      return `blocks.${layer}.hook_resid_post`;
    case "mlp":
      return `blocks.${layer}.hook_mlp_out`;
    case "att":
      return `blocks.${layer}.attn.hook_z`;
    default:
      return undefined;
  }
}
