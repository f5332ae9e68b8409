import { openSaeFiles } from "@saestitch/core/node";

/**
 * The JSON record of the given schema that lies beside the files of the SAE at `address`, a path or hf: address; undefined where there is
 * no such file, or something else in it.
 */
export async function readRecord(
  address: string,
  name: string,
  schema: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const files = await openSaeFiles(address);
  try {
    if (!(await files.list()).includes(name)) return undefined;
    const file = await files.open(name);
    const record = parsed(new TextDecoder().decode(await file.read(0, file.byteLength)));
    return record?.schema === schema ? record : undefined;
  } finally {
    await files.close();
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> | null | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
