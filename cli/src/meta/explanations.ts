import type { FitRecord, MetaDocument } from "./meta-document.ts";

/** One way to explain the larger SAE's directions, or as many random ones. */
export interface Explanation {
  readonly name: string;
  /** What it is made of: the meta-SAE, directions of the smaller SAE, or chance. */
  readonly kind: "meta" | "smaller" | "chance";
  readonly fit: FitRecord;
}

/** All ways that were measured, the meta-SAE first. */
export function explanations({ fit, null: nullFit, comparison }: MetaDocument): Explanation[] {
  return [
    { name: "meta-SAE", kind: "meta", fit },
    ...(nullFit === null
      ? []
      : [{ name: "meta-SAE of random directions", kind: "chance" as const, fit: nullFit }]),
    ...(comparison === null ? [] : compared(comparison)),
  ];
}

function compared({
  nearest,
  randomDecoder,
  pursuit,
}: NonNullable<MetaDocument["comparison"]>): Explanation[] {
  return [
    { name: "nearest smaller latents in it", kind: "smaller", fit: nearest.before },
    { name: "… encoder tuned to them", kind: "smaller", fit: nearest.after },
    { name: "random directions in it", kind: "chance", fit: randomDecoder.before },
    { name: "… encoder tuned to them", kind: "chance", fit: randomDecoder.after },
    { name: "regression on smaller latents", kind: "smaller", fit: pursuit.smaller },
    { name: "… strengths of either sign", kind: "smaller", fit: pursuit.smallerAnySign },
    { name: "regression on random directions", kind: "chance", fit: pursuit.random },
    { name: "regression on meta-latents", kind: "meta", fit: pursuit.own },
  ];
}
