/** Construction where gains are known: as of which step, what stands out, who is drawn, what is said. */
import { describe, expect, it } from "vitest";
import type { Bundle } from "../src/data/bundle";
import {
  bestFeatures,
  edgeGainOf,
  gainLinksOf,
  gainOf,
  linksOf,
  observedAt,
  observedSteps,
  readingOf,
} from "../src/data/gains";
import { chooseConstructed, countConstructed } from "../src/views/construction/constructed";
import { model } from "../src/views/construction/model";
import { arcsOf } from "../src/views/construction/ring";
import { counted, standingIn } from "../src/views/construction/scene";
import { cellAt, gridOf, rowTop, sayCell, shareAt, stepOf } from "../src/views/construction/shares";
import { unitTip } from "../src/shell/unit-tip";
import { lastStep, override, real, unitOf } from "./helpers";

const ROOM = { width: 1000, height: 500 };
const AMOUNT = { perLayer: 4, perGap: 9 };
const BY_GAIN = { unit: null, token: null, weights: "gain" as const };

/** The run with three units of conv5 constructed at every observed step, the last one combining. */
async function constructed(): Promise<{ bundle: Bundle; three: number[] }> {
  const bundle = await real();
  const three = [1, 4, 6].map((k) => unitOf(bundle, `conv5:${k}`));
  override(bundle, "gain_kind", ([, unit = -1]) => [1, 1, 2][three.indexOf(unit)] ?? 0);
  override(bundle, "gain", ([, unit = -1]) => [0.4, 0.3, 0.2][three.indexOf(unit)] ?? 0.01);
  override(bundle, "gain_bound", () => 0.35);
  return { bundle, three };
}

const linksFrom = (bundle: Bundle) => {
  const links = gainLinksOf(bundle);
  if (!links) throw new Error("the run has gains of edges");
  return links;
};

describe("what was observed at some steps only", () => {
  it("is shown as last observed, and never from a later step", async () => {
    const bundle = await real();
    const { steps } = bundle.manifest;
    for (const dim of ["gain_step", "edge_step"] as const) {
      const observed = observedSteps(bundle, dim);
      steps.forEach((at, step) => {
        const place = observedAt(bundle, dim, step) ?? -1;
        expect(observed[place]).toBeLessThanOrEqual(at);
        expect(observed[place + 1] ?? Infinity).toBeGreaterThan(at);
      });
    }
    const links = linksFrom(bundle);
    const places = steps.map((_, step) => links.weight(7, step, BY_GAIN));
    expect(new Set(places).size).toBeLessThanOrEqual(observedSteps(bundle, "edge_step").length);
  });

  it("is nothing before it was first observed", async () => {
    const bundle = await real();
    bundle.manifest.coordinates["gain_step"] = observedSteps(bundle, "gain_step").slice(1);
    expect(observedAt(bundle, "gain_step", 0)).toBeNull();
    expect(gainOf(bundle, 5, 0)).toBeNull();
  });
});

describe("a unit", () => {
  it("has beyond its recombinations what its gain says", async () => {
    const bundle = await real();
    for (let unit = 0; unit < bundle.units.count; unit++) {
      const own = gainOf(bundle, unit, lastStep(bundle));
      if (!own || own.kind < 0) continue;
      expect(own.inherited + own.gain).toBeCloseTo(own.selectivity, 3);
    }
    expect(gainOf(bundle, 65535, 3)).toBeNull();
  });

  it("has its features in words, the largest gain first, and only those it has", async () => {
    const bundle = await real();
    const named = Array.from({ length: bundle.units.count }, (_, unit) =>
      bestFeatures(bundle, unit, lastStep(bundle)),
    );
    const all = named.flat();
    expect(all.length).toBeGreaterThan(0);
    for (const list of named) {
      const gains = list.map(([, gain]) => gain);
      expect(gains).toEqual([...gains].sort((a, b) => b - a));
    }
    for (const [name] of all) expect(bundle.coordinate("feature")).toContain(name);
  });

  it("says what it does in its hover, as of the step it was observed at", async () => {
    const { bundle, three } = await constructed();
    const rows = unitTip(bundle, three[2] ?? 0, lastStep(bundle)).rows ?? [];
    expect(rows).toContainEqual([
      `as at step ${bundle.manifest.steps.at(-1) ?? 0}, it`,
      "combines",
    ]);
  });
});

describe("the ring", () => {
  const unit = { selectivity: 0.6, inherited: 0.25, gain: 0.35, kind: 1 };
  const rest = { step: 0, p: 0.05, bound: 0.1, linear: 0, rectified: 0 };
  const best = { emergent: 0, low: 0, high: 0, bestParent: 0 };
  const of = (more: object) => arcsOf({ ...rest, ...best, ...unit, ...more });

  it("is pale as far as the unit inherits, and full for what it constructs", () => {
    expect(of({})).toEqual({ pale: 0.25, full: 0.6, isDouble: false });
    expect(of({ kind: 2 }).isDouble).toBe(true);
  });

  it("is pale all along where recombinations reach the unit, or do better", () => {
    expect(of({ kind: 0 })).toEqual({ pale: 0.6, full: 0, isDouble: false });
    expect(of({ kind: 0, selectivity: 0.1, gain: -0.15 })).toMatchObject({ pale: 0.1, full: 0 });
  });

  it("is empty where nothing is known", () => {
    const unknown = { selectivity: Number.NaN, inherited: Number.NaN, gain: Number.NaN, kind: -1 };
    expect(of(unknown)).toEqual({ pale: 0, full: 0, isDouble: false });
  });
});

describe("an edge", () => {
  it("stands out beyond all parents of like amplitude, into a unit that is constructed", async () => {
    const { bundle, three } = await constructed();
    const shares = [0.05, 0.1, Number.NaN];
    override(bundle, "edge_gain", () => 0.1);
    override(bundle, "edge_gain_p", ([, edge = 0]) => shares[edge % 3] ?? Number.NaN);
    const links = linksFrom(bundle);
    for (let edge = 0; edge < links.count; edge++) {
      const isInto = three.includes(links.target[edge] ?? -1);
      const own = (["beyond", "within", "not held"] as const)[edge % 3];
      expect(links.standing(edge, 3)).toBe(isInto ? own : "within");
    }
  });

  it("that loses is no gain, whatever the others do", async () => {
    const { bundle } = await constructed();
    override(bundle, "edge_gain", () => -0.1);
    override(bundle, "edge_gain_p", () => 0.05);
    const links = linksFrom(bundle);
    for (let edge = 0; edge < links.count; edge++) expect(links.standing(edge, 3)).toBe("within");
  });

  it("tells of which step its gain is", async () => {
    const bundle = await real();
    const last = observedSteps(bundle, "edge_step").at(-1);
    expect(edgeGainOf(linksFrom(bundle), bundle, 3, lastStep(bundle)).step).toBe(last);
  });
});

describe("who is shown", () => {
  it("is what is constructed, and first what chance does not give the layer's best", async () => {
    const { bundle, three } = await constructed();
    const layer = bundle.units.layer(three[0] ?? 0);
    const chosen = chooseConstructed(bundle, linksFrom(bundle), 4)[layer] ?? [];
    // half of four by their own gain: one is beyond its bound, then the one that combines
    expect(chosen).toContain(three[0]);
    expect(chosen).toContain(three[2]);
    expect(chosen.length).toBeLessThanOrEqual(4);
    expect(chooseConstructed(bundle, linksFrom(bundle), 1)[layer]).toEqual([three[0]]);
    expect(countConstructed(bundle, lastStep(bundle))).toBe(3);
  });

  it("has parents below it, through which it gains", async () => {
    const { bundle, three } = await constructed();
    override(bundle, "edge_gain", () => 0.1);
    override(bundle, "edge_gain_p", () => 0.05);
    const links = linksFrom(bundle);
    const layer = bundle.units.layer(three[0] ?? 0);
    const chosen = chooseConstructed(bundle, links, 4);
    const parents = [...links.source].filter((_, edge) =>
      (chosen[layer] ?? []).includes(links.target[edge] ?? -1),
    );
    const below = chosen[layer - 1] ?? [];
    expect(below.length).toBeGreaterThan(0);
    for (const unit of below) expect(parents).toContain(unit);
  });

  it("is the layer's constructed units where a layer is asked for", async () => {
    const { bundle, three } = await constructed();
    const layer = bundle.units.layer(three[0] ?? 0);
    const chosen = chooseConstructed(bundle, linksFrom(bundle), 4, layer);
    expect(chosen[layer]).toEqual(three);
  });
});

describe("the picture", () => {
  it("is drawn by gain where gains are known, else by variance as before", async () => {
    const bundle = await real();
    expect(model(bundle, BY_GAIN, AMOUNT, ROOM)?.links).toBe(gainLinksOf(bundle));
    expect(linksOf(bundle, { weights: "gain", token: 2 })).not.toBe(gainLinksOf(bundle));
    for (const name of ["gain", "edge_gain"]) delete bundle.manifest.arrays[name];
    expect(readingOf(bundle, BY_GAIN)).toEqual({ weights: "total", token: null });
    const before = model(bundle, { ...BY_GAIN, weights: "total" }, AMOUNT, ROOM);
    expect(model(bundle, BY_GAIN, AMOUNT, ROOM)?.layout.nodes).toEqual(before?.layout.nodes);
  });

  it("does not move its nodes from step to step, and counts only edges that stand out", async () => {
    const { bundle } = await constructed();
    const found = model(bundle, BY_GAIN, AMOUNT, ROOM);
    if (!found) throw new Error("the run has gains of edges");
    for (let step = 0; step <= lastStep(bundle); step++) {
      const standing = [...found.scene.edges.keys()].filter(
        (e) => standingIn(found.scene, e, step) !== "within",
      );
      expect(counted(found.scene, step).drawn).toBeLessThanOrEqual(standing.length);
    }
  });
});

describe("the map of shares", () => {
  const grid = gridOf({ width: 348, height: 117 }, 10, 6);

  it("has its first layer lowest, and nothing beside its cells", () => {
    for (const layer of [0, 4, 9]) {
      const y = rowTop(grid, layer) + grid.height / 2;
      expect(cellAt(grid, grid.left + grid.width * 2.5, y)).toEqual({ layer, column: 2 });
    }
    expect(rowTop(grid, 0)).toBeGreaterThan(rowTop(grid, 9));
    expect(cellAt(grid, grid.left - 1, 20)).toBeNull();
    expect(cellAt(grid, 347, 20)).toBeNull();
    expect(cellAt(grid, 100, 116)).toBeNull();
  });

  it("says a cell in one sentence, with its interval and both nulls", async () => {
    const bundle = await real();
    override(bundle, "constructed_share", ([column = 0]) => (column === 0 ? 0.04 : 0.5));
    override(bundle, "constructed_share_low", () => 0.44);
    override(bundle, "constructed_share_high", () => 0.56);
    const layer = bundle.manifest.layers.findIndex(({ name }) => name === "conv5");
    const count = bundle.manifest.layers[layer]?.count ?? 0;
    const at = observedSteps(bundle, "gain_step")[1];
    expect(sayCell(bundle, { layer, column: 1 })).toBe(
      `conv5 at step ${at}: 50% of ${count} units are constructed ` +
        "(95%: 44% to 56%; by chance 5%; before training 4%)",
    );
    expect(bundle.manifest.steps[stepOf(bundle, 1)]).toBe(at);
  });

  it("tells a share that lasts from one beyond chance in passing", async () => {
    const bundle = await real();
    const steps = observedSteps(bundle, "gain_step");
    override(bundle, "constructed_share_low", ([column = 0]) => (column >= 1 ? 0.2 : 0));
    override(bundle, "layer_construction_by", ([layer = 0]) =>
      layer === 1 ? (steps[2] ?? 0) : Infinity,
    );
    const seen = (layer: number) =>
      [0, 1, 2].map((column) => {
        const { isBeyond, isLasting } = shareAt(bundle, { layer, column });
        return [isBeyond, isLasting];
      });
    expect(seen(1)).toEqual([
      [false, false],
      [true, false],
      [true, true],
    ]);
    expect(seen(2)).toEqual([
      [false, false],
      [true, false],
      [true, false],
    ]);
  });
});
