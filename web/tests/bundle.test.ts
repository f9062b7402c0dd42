import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { Bundle } from "../src/data/bundle";
import { isBeyond, onsets, preferredToken } from "../src/data/facts";
import { inWords, readProgress } from "../src/data/live";
import { readManifest } from "../src/data/manifest";
import { nearest } from "../src/data/pictures";
import { findSource, fromBase64, gunzip } from "../src/data/source";
import { PIXEL, Units } from "../src/data/units";
import { find } from "../src/state/find";
import { lastStep, override, real, unitOf, unmeasured } from "./helpers";

describe("a bundle", () => {
  it("fetches a blob once, when first asked, and then has its arrays", async () => {
    const asked: string[] = [];
    const manifest = readManifest({
      steps: [0], arrays: { loss: { blob: "base", offset: 0, dtype: "float32", shape: [1], dims: ["step"] } },
    }); // prettier-ignore
    const bundle = new Bundle(manifest, {
      isLive: false, address: () => null, manifest: async () => manifest,
      blob: async (name) => { asked.push(name); return new Float32Array([0.5]).buffer; },
    }); // prettier-ignore
    expect(bundle.array("loss")).toBeNull();
    expect(bundle.status("loss")).toBe("loading");
    await bundle.load("base");
    expect(bundle.array("loss")?.at(0)).toBe(0.5);
    expect(asked).toEqual(["base"]);
    expect(bundle.status("map")).toBe("missing");
  });

  it("says so, and does not throw, where a blob cannot be had", async () => {
    const manifest = readManifest({
      arrays: { loss: { blob: "base", offset: 0, dtype: "float32", shape: [1], dims: ["step"] } },
    });
    const bundle = new Bundle(manifest, {
      isLive: false, address: () => null, manifest: async () => manifest, blob: () => Promise.reject(new Error("gone")),
    }); // prettier-ignore
    await bundle.load("base");
    expect(bundle.array("loss")).toBeNull();
    expect(bundle.status("loss")).toBe("missing");
    expect(bundle.why("nothing of the kind")).toBe("gone");
  });

  it("keeps blobs that have not changed when the run grows", async () => {
    let count = 0;
    const manifest = (hash: string) =>
      readManifest({
        blobs: { base: { bytes: 4, hash } },
        arrays: { loss: { blob: "base", offset: 0, dtype: "float32", shape: [1], dims: ["x"] } },
      });
    const source = {
      isLive: true,
      address: () => null,
      manifest: async () => manifest("1"),
      blob: async () => new Float32Array([++count]).buffer,
    };
    const first = new Bundle(manifest("1"), source);
    await first.load("base");
    const same = new Bundle(manifest("1"), source, first);
    await same.load("base");
    const other = new Bundle(manifest("2"), source, first);
    await other.load("base");
    expect([same.array("loss")?.at(0), other.array("loss")?.at(0)]).toEqual([1, 2]);
  });

  it("says why something is missing: what was said of it, else all that was said", async () => {
    const bundle = await real();
    bundle.manifest.missing = [
      { what: "Pictures", why: "none made" },
      { what: "couplings", why: "none kept" },
    ];
    expect(bundle.why("pictures")).toBe("Pictures: none made");
    expect(bundle.why("graph")).toBe("Pictures: none made; couplings: none kept");
    bundle.manifest.missing = [];
    expect(bundle.why("graph")).toBe("this run holds none");
  });

  it("shows a sketch where nothing is measured yet, and only there", async () => {
    const [before, after] = [await unmeasured(), await real()];
    expect(before.nameOf("map")).toBe("sketch_map");
    expect(before.shown("crossnobis")?.name).toBe("sketch_distance");
    expect(before.isSketch("map")).toBe(true);
    expect(before.why("pictures")).toContain("pictures of detectors: expected");
    expect(after.shown("crossnobis")?.name).toBe("crossnobis");
    expect(after.isSketch("map", "confusion")).toBe(false);
  });

  it("survives any manifest", () => {
    for (const given of [
      null,
      3,
      [],
      {},
      {
        steps: "x",
        layers: [null],
        arrays: { a: 1, b: { dtype: "int8", shape: [-1], dims: ["x"] } },
        sheets: { s: {} },
        observations: [{}],
      },
    ]) {
      const manifest = readManifest(given);
      expect(manifest.steps).toEqual([]);
      expect(Object.keys(manifest.arrays)).toEqual([]);
    }
  });

  it("does not take names of an object's own for arrays", () => {
    expect(readManifest({}).arrays["constructor"]).toBeUndefined();
  });
});

describe("embedded blobs", () => {
  const page = (
    elements: Record<string, { textContent: string; dataset?: Record<string, string> }>,
  ) => ({ getElementById: (id: string) => elements[id] ?? null }) as unknown as Document;

  it("are read out of the document, unpacked where they are packed", async () => {
    const bytes = Buffer.from([5, 6, 7]);
    const source = findSource(
      page({
        manifest: { textContent: '{"steps":[0,3]}' },
        "blob-a": {
          textContent: gzipSync(bytes).toString("base64"),
          dataset: { encoding: "gzip" },
        },
        "blob-b.jpg": { textContent: bytes.toString("base64"), dataset: { encoding: "none" } },
      }),
      {} as Location,
    );
    expect((await source.manifest()).steps).toEqual([0, 3]);
    for (const name of ["a", "b.jpg"]) {
      expect([...new Uint8Array(await source.blob(name))]).toEqual([5, 6, 7]);
    }
    await expect(source.blob("c")).rejects.toThrow("expected c inside this file, got none");
    expect([source.isLive, source.address("events")]).toEqual([false, null]);
  });

  it("are fetched beside the page otherwise, with the page's own key", () => {
    const location = {
      href: "http://127.0.0.1:8000/?key=k%201#view=compare",
      search: "?key=k%201",
    };
    const source = findSource(page({}), location as Location);
    expect(source.address("events")).toBe("http://127.0.0.1:8000/events?key=k+1");
  });

  it("are had back from base64 and gzip", async () => {
    const packed = gzipSync(Buffer.from([1, 2, 250]));
    const plain = await gunzip(fromBase64(packed.toString("base64")));
    expect([...new Uint8Array(plain)]).toEqual([1, 2, 250]);
  });
});

describe("units", () => {
  const units = new Units([
    { name: "conv1", kind: "conv", first: 0, count: 4 },
    { name: "conv10", kind: "conv", first: 4, count: 2 },
  ]);
  it.each([["conv1:3", 3], ["conv10:0", 4], ["conv1:4", null], ["conv:1", null], ["conv1:-1", null], ["", null]])(
    "have the index of their name: %s", (name, index) => expect(units.index(name)).toBe(index)); // prettier-ignore
  it("have names back, and pixels theirs", () => {
    expect([units.name(5), units.name(PIXEL - 2), units.name(99)]).toEqual([
      "conv10:1",
      "pixels:2",
      "–",
    ]);
    expect(units.layer(PIXEL)).toBe(-1);
  });
});

describe("facts", () => {
  it("know a unit's token, null and onset", async () => {
    const bundle = await real();
    const [unit, last] = [unitOf(bundle, "conv5:3"), lastStep(bundle)];
    expect(preferredToken(bundle, unitOf(bundle, "logits:2"), 0)).toBe(2);
    expect(preferredToken(bundle, unit, last)).toBe(
      bundle.array("preferred_token")?.at(last, unit),
    );
    override(bundle, "preferred_token", () => -1);
    expect(preferredToken(bundle, unit, last)).toBeNull();
    expect(onsets(bundle).find((one) => one.name === "cleo")?.kind).toBe("token");
  });
  it("hold a unit's token signal against its own null, and are silent where there is none", async () => {
    const bundle = await real();
    const [unit, last] = [unitOf(bundle, "fc1:0"), lastStep(bundle)];
    override(bundle, "token_signal_upper", () => 0.1);
    override(bundle, "token_signal", ([step]) => (step === last ? 0.2 : 0.05));
    expect([0, last].map((step) => isBeyond(bundle, unit, step))).toEqual([false, true]);
    override(bundle, "token_signal_upper", () => Number.NaN);
    expect(isBeyond(bundle, unit, last)).toBeNull();
  });
  it("take the film's step that is nearest on the log scale", () => {
    expect(nearest([0, 10, 100], 40)).toBe(2);
    expect(nearest([0, 10, 100], 2)).toBe(0);
  });
  it("read what the server says, and nothing from nonsense", () => {
    const said = readProgress('{"state":"training","step":3,"of":9,"done":"x"}');
    expect(said).toMatchObject({ state: "training", step: 3, of: 9, stage: "", done: 0 });
    expect(readProgress("x")).toBeNull();
    expect(readProgress('{"state":3}')).toBeNull();
  });
  it("say what a command does, in a few words", () => {
    const words = (said: object) => inWords(readProgress(JSON.stringify(said))!);
    expect(words({ state: "training", step: 1007, of: 1200 })).toBe(
      "training, step 1,007 of 1,200",
    );
    const loading = { stage: "load exemplars", what: "images", done: 3, total: 3000 };
    expect(words({ state: "beginning", ...loading })).toBe("load exemplars: 3 of 3,000 images");
    expect(words({ state: "complete", stage: "measure", step: 40, of: 40 })).toBe("measure");
    expect(words({ state: "failed", step: 7, of: 40 })).toBe("failed");
  });
});

describe("search", () => {
  it("finds units, tokens, steps and layers", async () => {
    const bundle = await real();
    expect(find("conv5:7", bundle)[0]?.change).toEqual({ unit: unitOf(bundle, "conv5:7") });
    expect(find("conv5 7", bundle)[0]?.name).toBe("conv5:7");
    expect(find("cle", bundle)[0]?.change.token).toBe(2);
    expect(find("120", bundle)[0]?.kind).toBe("step");
    expect(find("fc1", bundle).some((one) => one.kind === "layer")).toBe(true);
    expect(find("zzz", bundle)).toEqual([]);
  });
});
