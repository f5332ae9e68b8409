/** What is trained: the activation, and what keeps its codes sparse. Numbers are in units of the scaled input. */
export type Architecture =
  /** The k largest pre-activations of each token (Gao et al., arXiv 2406.04093). */
  | { readonly kind: "topk"; readonly k: number }
  /** The k · b largest of a batch of b tokens (Bussmann et al., arXiv 2412.06410); one threshold for all latents at inference. */
  | { readonly kind: "batchtopk"; readonly k: number }
  /** BatchTopK whose first latents reconstruct alone too (Bussmann et al., arXiv 2503.17547). */
  | {
      readonly kind: "matryoshka";
      readonly k: number;
      /** Number of latents in each prefix, ascending; the last is all of them. */
      readonly prefixes: readonly number[];
    }
  /** ReLU with an L1 penalty on the code. */
  | {
      readonly kind: "relu";
      /** Weight of the penalty, or where it starts when it is steered. */
      readonly l1: number;
      /** Steps over which the penalty rises from zero. */
      readonly l1WarmUpSteps: number;
      /** Steer the weight until this many latents are active; keep the weight when absent. */
      readonly targetL0?: number;
    }
  /** A learnt threshold per latent, by straight-through estimates (Rajamanoharan et al., arXiv 2407.14435): λ (L0/target − 1)². */
  | {
      readonly kind: "jumprelu";
      readonly targetL0: number;
      /** λ */
      readonly sparsityWeight: number;
      /** Width of the kernel around the threshold within which a pre-activation moves it. */
      readonly bandwidth: number;
      /** Steps over which the penalty rises from zero. */
      readonly sparsityWarmUpSteps: number;
    }
  /** A gate that decides and a magnitude that says how much (Rajamanoharan et al., arXiv 2404.16014); L1 on the gate. */
  | {
      readonly kind: "gated";
      readonly l1: number;
      readonly l1WarmUpSteps: number;
      readonly targetL0?: number;
    };
