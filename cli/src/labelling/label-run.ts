import type { Labels } from "@saestitch/core";
import type { SaeInput, SampleRecord } from "../inputs/provenance.ts";

/** The labels of a pair of SAEs, and what they were made from: all that a report of them needs. */
export interface LabelRun {
  readonly smaller: SaeInput;
  readonly larger: SaeInput;
  readonly sample: SampleRecord;
  readonly labels: Labels;
}
