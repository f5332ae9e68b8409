import type { ModelNormalization } from "../model.ts";

/** Whether something is done, and why, as the end of a sentence. */
export interface CentringDecision {
  readonly applies: boolean;
  readonly reason: string;
}

/** The residual stream and what is written to it. */
const written =
  /^(?:hook_embed|hook_pos_embed|blocks\.\d+\.(?:hook_resid_pre|hook_resid_mid|hook_resid_post|hook_attn_out|hook_mlp_out))$/;

/**
 * Whether an SAE of activations at `hook` that was trained on a model with centred writing weights reads centred activations. TransformerLens'
 * `center_writing_weights` takes the mean over d off all weights that write to the residual stream, of models whose blocks read it through LayerNorm, where no
 * output changes; so the stream and all that is added to it lose their own mean, token by token, and nothing else changes. It leaves models that
 * normalise by the root of the mean square alone.
 *
 * `hook`: a TransformerLens name; undefined for a value without one.
 */
export function centringAt(hook: string | undefined, normalization: ModelNormalization): CentringDecision {
  if (hook === undefined) {
    return {
      applies: false,
      reason:
        "the value has no TransformerLens name, so it is not known to be written to the residual stream",
    };
  }
  if (!written.test(hook)) {
    return {
      applies: false,
      reason: `${hook} is not written to the residual stream, and centring changes nothing else`,
    };
  }
  switch (normalization) {
    case "layer":
      return {
        applies: true,
        reason:
          "every LayerNorm that reads the residual stream takes its mean off, so only the hook itself changes",
      };
    case "rms":
      return {
        applies: false,
        reason: "the model's norms do not take the mean off, and TransformerLens centres no such model",
      };
    case "unknown":
      return { applies: false, reason: "how the model normalises its residual stream is not known" };
    default:
      return normalization satisfies never;
  }
}
