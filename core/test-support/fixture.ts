// Two steps, because the development server rewrites `new URL("…", import.meta.url)` into the address of one file.
const here = import.meta.url;
const folder = new URL("../../fixtures/", here);

/** Read a file of the repository's `fixtures` folder (`name` is relative to it), in Node and in the browser. */
export async function readFixture(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const url = new URL(name, folder);
  if (url.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    return Uint8Array.from(await readFile(url));
  }
  const response = await fetch(url);
  // The development server answers a missing file with its start page.
  if (!response.ok || response.headers.get("content-type")?.startsWith("text/html"))
    throw new Error(`Cannot read fixture ${name}: ${url} answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
