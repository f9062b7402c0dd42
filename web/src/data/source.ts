/** Where the page has its bundle from: inside the file itself, or beside it on the server. */
import { readManifest, type Manifest } from "./manifest";

export interface Source {
  readonly isLive: boolean;
  manifest(): Promise<Manifest>;
  /** A blob; a server that has a newer one of the name still gives the one of this hash. */
  blob(name: string, hash?: string): Promise<ArrayBuffer>;
  /** Address of something the server offers; null where there is no server. */
  address(path: string): string | null;
}

/** The blobs of the run that lies beside the source's own. */
export const besideOf = (source: Source): Source => ({
  ...source,
  address: () => null,
  blob: (name, hash) => source.blob(`beside/${name}`, hash),
});

/** The bundle written into this document, or else the one the server has. */
export function findSource(page: Document, location: Location): Source {
  return page.getElementById("manifest") ? embedded(page) : fetched(location);
}

function embedded(page: Document): Source {
  return {
    isLive: false,
    address: () => null,
    manifest: async () =>
      readManifest(JSON.parse(page.getElementById("manifest")?.textContent ?? "{}")),
    blob: async (name) => {
      const element = page.getElementById(`blob-${name}`);
      if (!element) throw new Error(`expected ${name} inside this file, got none: export it again`);
      const bytes = fromBase64(element.textContent ?? "");
      return element.dataset["encoding"] === "gzip" ? gunzip(bytes) : bytes.buffer;
    },
  };
}

function fetched(location: Location): Source {
  const key = new URLSearchParams(location.search).get("key");
  const address = (path: string) => {
    // without the part after #, which is the page's state and no address
    const url = new URL(path, location.href.split("#")[0]);
    if (key !== null) url.searchParams.set("key", key);
    return url.href;
  };
  const get = async (path: string) => {
    const answer = await fetch(address(path));
    if (answer.ok) return answer;
    const words = (await answer.text()).trim();
    throw new Error(words || `expected ${path} from the server, got ${answer.status}`);
  };
  return {
    isLive: true,
    address,
    manifest: async () => readManifest(await (await get("data/manifest.json")).json()),
    blob: async (name, hash) => {
      const which = hash ? `?hash=${encodeURIComponent(hash)}` : "";
      return (await get(`data/${encodeURIComponent(name)}${which}`)).arrayBuffer();
    },
  };
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.trim());
  const bytes = new Uint8Array(binary.length);
  for (let k = 0; k < binary.length; k++) bytes[k] = binary.charCodeAt(k);
  return bytes;
}

export async function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
