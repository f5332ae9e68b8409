import { UserError } from "../failure.ts";
import type { SaeInput } from "../inputs/provenance.ts";
import { readRecord } from "../inputs/read-record.ts";
import type { OutputStream } from "../terminal/output-stream.ts";
import { META_SCHEMA } from "./meta-document.ts";
import { META_RECORD } from "./write-meta.ts";

/**
 * Throw {@link UserError} when the record beside the meta-SAE at `address` says that it is of another SAE than `larger`. Where there is
 * no record that says, there is a warning.
 */
export async function checkMetaRecord(
  address: string,
  meta: SaeInput,
  larger: SaeInput,
  stderr: OutputStream,
): Promise<void> {
  const record = await readRecord(address, META_RECORD, META_SCHEMA);
  const said = record?.larger as { readonly location?: unknown; readonly hash?: unknown } | null | undefined;
  if (typeof said?.hash !== "string") {
    stderr.write(
      `warning: ${meta.location}: no ${META_RECORD} says whose directions it was trained on; taken for those of ${larger.location}\n`,
    );
    return;
  }
  if (said.hash === larger.hash) return;
  throw new UserError(
    `${meta.location} is a meta-SAE of ${said.location} (sha256 ${said.hash.slice(0, 12)}), not of ${larger.location} (${larger.hash?.slice(0, 12) ?? "unknown"}): give the SAE it was trained on, or train one with: saestitch meta ${larger.location}`,
  );
}
