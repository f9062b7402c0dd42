import { Bundle } from "../src/data/bundle";
import { readManifest } from "../src/data/manifest";
import type { Source } from "../src/data/source";
import { sample, type Wanted } from "../src/testing/sample";

/** The made-up run as a loaded bundle. */
export async function made(wanted: Wanted = {}): Promise<Bundle> {
  const { manifest, blobs } = sample({ steps: 12, exemplars: 40, pictures: false, ...wanted });
  const source: Source = {
    isLive: false,
    address: () => null,
    manifest: async () => readManifest(manifest),
    blob: async (name) => {
      const data = blobs.get(name);
      if (!data) throw new Error(`no ${name}`);
      return data.buffer;
    },
  };
  const bundle = new Bundle(readManifest(manifest), source);
  await Promise.all([...blobs.keys()].map((name) => bundle.load(name)));
  return bundle;
}
