/** A real run's bundle, written by `python -m tests.page.fixture`; and other numbers for a part of it. */
import { readFileSync } from "node:fs";
import { Bundle } from "../src/data/bundle";
import { Field } from "../src/data/field";
import { readManifest, type Manifest } from "../src/data/manifest";
import type { ArrayName } from "../src/data/names";
import { besideOf, type Source } from "../src/data/source";

const at = (name: string): URL => new URL(`run/${name}`, import.meta.url);

const manifest = (): Manifest =>
  readManifest(JSON.parse(readFileSync(at("manifest.json"), "utf8")));

const source: Source = {
  isLive: false,
  address: () => null,
  manifest: async () => manifest(),
  blob: async (name) => new Uint8Array(readFileSync(at(name))).buffer,
};

/** The run, measured and pictured. */
export const real = async (): Promise<Bundle> => loaded(manifest(), source);

/** The same run before it was measured: sketches stand in for measures. */
export async function unmeasured(): Promise<Bundle> {
  const { beside } = manifest();
  if (!beside) throw new Error("the run before it was measured lies beside");
  return loaded(beside, besideOf(source));
}

async function loaded(said: Manifest, from: Source): Promise<Bundle> {
  const bundle = new Bundle(said, from);
  await bundle.loadAll();
  return bundle;
}

/** Give an array other numbers, each from its place and what it was; all else stays real. */
export function override(
  bundle: Bundle,
  name: ArrayName,
  value: (index: readonly number[], was: number) => number,
): void {
  const own = bundle.array(name);
  if (!own) throw new Error(`the run has ${name}`);
  const raw = Float32Array.from(own.values(), (was, place) => {
    const index = own.shape.map((n, k) => Math.floor(place / (own.strides[k] ?? 1)) % n);
    return value(index, was);
  });
  const entry = { ...own.entry, dtype: "float32" as const, scale: 1, add: 0, missing: null };
  const field = new Field(name, { ...entry, error: 0 }, raw);
  const before = bundle.array.bind(bundle);
  bundle.array = (asked) => (asked === name ? field : before(asked));
}

/** Index of a unit, token or layer by its name. */
export function unitOf(bundle: Bundle, name: string): number {
  const unit = bundle.units.index(name);
  if (unit === null) throw new Error(`the run has ${name}`);
  return unit;
}
export const lastStep = (bundle: Bundle): number => bundle.manifest.steps.length - 1;
export const layerAt = (bundle: Bundle, name: string): number => bundle.layersAll().indexOf(name);
