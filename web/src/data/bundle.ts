/** The run as the page has it: arrays and image sheets by name, fetched when first asked for. */
import { signal } from "@preact/signals";
import { field, type Field } from "./field";
import type { ArrayEntry, Manifest } from "./manifest";
import type { ArrayName } from "./names";
import { SKETCHES } from "./sketch";
import type { Source } from "./source";
import { Units } from "./units";

export type Status = "ready" | "loading" | "missing";

export interface Sheet {
  image: ImageBitmap;
  columns: number;
  cell: [number, number];
  count: number;
}

export class Bundle {
  readonly units: Units;
  private readonly buffers = new Map<string, ArrayBuffer>();
  private readonly asked = new Map<string, Promise<void>>();
  private readonly fields = new Map<string, Field | null>();
  private readonly sheets = new Map<string, Sheet>();
  private readonly failures = new Map<string, string>();
  /** Counts what has come in; whoever reads an array is told when there is more. */
  private readonly arrived = signal(0);

  constructor(
    readonly manifest: Manifest,
    private readonly source: Source,
    before?: Bundle,
  ) {
    this.units = new Units(manifest.layers);
    if (before) this.inherit(before);
  }

  /** The array of that name, or null while it is on its way or if there is none. */
  array(name: ArrayName): Field | null {
    const entry = this.manifest.arrays[name];
    if (!entry) return null;
    const kept = this.fields.get(name);
    if (kept !== undefined) return kept;
    const buffer = this.buffers.get(entry.blob);
    if (!buffer) {
      // read, so that whoever asks now is asked to look again when it has come
      void this.arrived.value;
      void this.load(entry.blob);
      return null;
    }
    const made = field(name, entry, buffer);
    if (!made) this.failures.set(entry.blob, `${entry.blob} is shorter than its manifest says`);
    this.fields.set(name, made);
    return made;
  }

  /** Whether the array is here, on its way, or not to be had. */
  status(name: ArrayName): Status {
    const entry = this.manifest.arrays[name];
    if (!entry) return "missing";
    if (this.array(name)) return "ready";
    return this.failures.has(entry.blob) ? "missing" : "loading";
  }

  /** The name under which a measure is here: its own, or that of the sketch in its place. */
  nameOf(name: ArrayName): ArrayName {
    const sketch = SKETCHES[name];
    const isSketch = sketch !== undefined && !this.manifest.arrays[name];
    return isSketch && this.manifest.arrays[sketch] ? sketch : name;
  }

  /** A measure, or the sketch in its place while the run is not measured. */
  shown(name: ArrayName): Field | null {
    return this.array(this.nameOf(name));
  }

  /** Whether a sketch stands in the place of any of these measures. */
  isSketch(...names: readonly ArrayName[]): boolean {
    return names.some((name) => this.nameOf(name) !== name);
  }

  sheet(name: string): Sheet | null {
    const entry = this.manifest.sheets[name];
    if (!entry) return null;
    const kept = this.sheets.get(name);
    if (kept) return kept;
    void this.arrived.value;
    void this.loadSheet(name);
    return null;
  }

  /** What a number means: hovers show it. */
  definition(name: ArrayName): ArrayEntry | null {
    return this.manifest.arrays[name] ?? null;
  }

  coordinate(dim: string): (string | number)[] {
    return this.manifest.coordinates[dim] ?? [];
  }

  /** Layers with the image itself in front, as the measures of categories name them. */
  layersAll(): string[] {
    const named = this.coordinate("layer_all").map(String);
    return named.length > 0 ? named : ["pixels", ...this.manifest.layers.map((l) => l.name)];
  }

  /** Why something is not there, in the words of the bundle. */
  why(...words: string[]): string {
    const { missing } = this.manifest;
    const said = missing.filter(({ what }) =>
      words.some((word) => what.toLowerCase().includes(word.toLowerCase())),
    );
    const failed = [...this.failures.values()];
    const all = said.length > 0 ? said : failed.length > 0 ? [] : missing;
    const sentences = [...all.map(({ what, why }) => `${what}: ${why}`), ...failed.slice(0, 1)];
    return sentences.length > 0 ? sentences.join("; ") : "this run holds none";
  }

  load(blob: string): Promise<void> {
    return this.once(blob, async () => {
      this.buffers.set(blob, await this.source.blob(blob, this.manifest.blobs[blob]?.hash));
    });
  }

  /** Fetch everything, for when there will be no server to ask. */
  async loadAll(): Promise<void> {
    await Promise.all(Object.keys(this.manifest.blobs).map((blob) => this.load(blob)));
  }

  private loadSheet(name: string): Promise<void> {
    const entry = this.manifest.sheets[name];
    if (!entry) return Promise.resolve();
    return this.once(`sheet ${name}`, async () => {
      await this.load(entry.blob);
      const buffer = this.buffers.get(entry.blob);
      if (!buffer) return;
      const image = await createImageBitmap(new Blob([buffer], { type: entry.type }));
      this.sheets.set(name, { ...entry, image });
    });
  }

  private once(key: string, work: () => Promise<void>): Promise<void> {
    const begun = this.asked.get(key);
    // also after a failure: a view that is painted every frame must not ask every frame
    if (begun) return begun;
    const promise = work()
      .catch((error: unknown) => {
        this.failures.set(key, error instanceof Error ? error.message : String(error));
      })
      .then(() => {
        this.arrived.value += 1;
      });
    this.asked.set(key, promise);
    return promise;
  }

  private inherit(before: Bundle): void {
    for (const [name, { hash }] of Object.entries(this.manifest.blobs)) {
      const buffer = before.buffers.get(name);
      // by hash: while a run grows most blobs stay as they were and need not come again
      if (buffer && before.manifest.blobs[name]?.hash === hash) {
        this.buffers.set(name, buffer);
        this.asked.set(name, Promise.resolve());
      }
    }
    for (const [name, sheet] of before.sheets) {
      const blob = this.manifest.sheets[name]?.blob ?? "";
      if (this.buffers.has(blob)) this.sheets.set(name, sheet);
    }
  }
}
