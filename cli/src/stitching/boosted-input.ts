import { UnsupportedError } from "@saestitch/core";
import { UserError } from "../failure.ts";
import { announceWarnings, type Inputs } from "../inputs/open-inputs.ts";
import { openSaeInput } from "../inputs/open-sae-input.ts";
import type { SaeInput } from "../inputs/provenance.ts";
import { readRecord } from "../inputs/read-record.ts";
import type { OutputStream } from "../terminal/output-stream.ts";
import { RECORD, TRAINING_SCHEMA } from "../training/train-folder.ts";

/**
 * The inputs with one more SAE, the last: that at `address`, which reads what the first of them leaves.
 *
 * Throws {@link UserError} when the record of its training names another SAE or none; without a record there is only a warning.
 * Throws {@link UnsupportedError} when it expects its input multiplied by a factor that its files do not give.
 */
export async function withBoosted(inputs: Inputs, address: string, stderr: OutputStream): Promise<Inputs> {
  const boosted = await openSaeInput(address, { stderr, startProgress: inputs.startProgress });
  announceWarnings([boosted], stderr);
  const [host] = inputs.saes;
  const { location, sae } = boosted;
  if (sae.normalization.kind === "expected-average" && sae.normalization.factor === null)
    throw new UnsupportedError(
      `${location} expects its input multiplied by a factor that its files do not give, and --activation-scale is of the activations, not of what ${host.location} leaves of them`,
    );
  const said = await recordedReading(address);
  if (said === undefined)
    stderr.write(
      `warning: ${location}: no ${RECORD} says what it was trained on; taken for what ${host.location} leaves\n`,
    );
  else checkReading(said, boosted, host);
  return {
    ...inputs,
    saes: [...inputs.saes, boosted],
    residualOf: [...inputs.saes.map(() => undefined), 0],
  };
}

/** The SAE whose residual an SAE was trained on, null for one that was trained on activations. */
type Reading = { readonly location: string; readonly hash: string } | null;

function checkReading(said: Reading, boosted: SaeInput, host: SaeInput): void {
  if (said === null)
    throw new UserError(
      `${boosted.location} was trained on activations, not on what another SAE leaves of them: give it with --rivals, or train one with --residual-of ${host.location}`,
    );
  if (said.hash !== host.hash)
    throw new UserError(
      `${boosted.location} was trained on what ${said.location} leaves (sha256 ${short(said.hash)}), but the smallest SAE given is ${host.location} (${short(host.hash)}): give the first as the smallest, or train one with --residual-of ${host.location}`,
    );
}

function short(hash: string | null): string {
  return hash === null ? "unknown" : hash.slice(0, 12);
}

/** What the record of the training of the SAE at `address` says that it reads; undefined where there is no such record. */
async function recordedReading(address: string): Promise<Reading | undefined> {
  const record = await readRecord(address, RECORD, TRAINING_SCHEMA);
  const said = record?.residualOf as Partial<Record<"location" | "hash", unknown>> | null | undefined;
  if (said === undefined || said === null) return said;
  const { location, hash } = said;
  return typeof location === "string" && typeof hash === "string" ? { location, hash } : undefined;
}
