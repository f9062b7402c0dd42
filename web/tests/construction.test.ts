import { describe, expect, it } from "vitest";
import { follow, lineage } from "../src/views/construction/ancestry";
import { couplingsOf, edgesOf, listEdges, weightAt, type Couplings } from "../src/data/couplings";
import { nodeAt } from "../src/views/construction/hit";
import { layout, order } from "../src/views/construction/layout";
import { model } from "../src/views/construction/model";
import { presence, weightIn } from "../src/views/construction/scene";
import { chooseUnits, flows } from "../src/views/construction/shown";
import { PIXEL } from "../src/data/units";
import { lastStep, real, unitOf } from "./helpers";

const ROOM = { width: 1000, height: 500 };
const AMOUNT = { perLayer: 4, perGap: 9 };
const ASKED = { unit: null, token: null, weights: "total" as const };

async function parts() {
  const bundle = await real();
  const couplings = couplingsOf(bundle);
  if (!couplings) throw new Error("the run has couplings");
  return { bundle, couplings };
}

describe("edges", () => {
  it("are listed by their ends, each once", () => {
    const lists = listEdges(Int32Array.from([2, 0, 2, PIXEL, 1]), 3);
    expect([0, 1, 2].map((unit) => [...edgesOf(lists, unit)])).toEqual([[1], [4], [0, 2]]);
    expect([...edgesOf(lists, PIXEL)]).toEqual([]);
  });

  it("weigh by the token's contrast where there is a token", async () => {
    const { bundle, couplings } = await parts();
    const last = lastStep(bundle);
    const total = weightAt(couplings, 40, last, { weights: "total", token: null });
    expect(total).toBe(couplings.fields.total.at(last, 40));
    expect(weightAt(couplings, 40, last, { weights: "total", token: 3 })).toBe(
      couplings.fields.contrast?.at(last, 40, 3),
    );
  });
});

describe("who is shown", () => {
  it("is at most so many a layer, all of a small layer, and some for every token", async () => {
    const { bundle, couplings } = await parts();
    const all = flows(couplings, bundle.units, 4);
    const shown = chooseUnits(all, bundle.units, 5);
    expect(shown.map((layer) => layer.length)).toEqual([4, 4, 5, 5, 5, 5, 5, 4]);
    const layer = bundle.manifest.layers.findIndex(({ name }) => name === "fc1");
    const fc1 = shown[layer] ?? [];
    for (const flow of all.slice(0, 4)) {
      const best = [...flow.keys()]
        .filter((unit) => bundle.units.layer(unit) === layer)
        .sort((a, b) => (flow[b] ?? 0) - (flow[a] ?? 0))[0];
      expect(fc1).toContain(best);
    }
  });
});

describe("the choice of units", () => {
  it("takes from each flow in turn, and all of a layer that is small", async () => {
    const { bundle } = await parts();
    const { first = 0, count = 0 } = bundle.manifest.layers[4] ?? {};
    const [a, b] = [new Float64Array(bundle.units.count), new Float64Array(bundle.units.count)];
    for (let k = 0; k < count; k++) [a[first + k], b[first + k]] = [k + 1, 100 - k];
    const shown = chooseUnits([a, b], bundle.units, 4);
    expect(shown[4]).toEqual([0, 1, count - 2, count - 1].map((k) => first + k));
    expect(shown[5]).toEqual([]);
    expect(shown[0]).toEqual([0, 1, 2, 3]);
  });
});

describe("the layout", () => {
  it("gives every node its own place, tokens in their order, none over another", async () => {
    const { bundle } = await parts();
    const { layout: placed } = model(bundle, ASKED, AMOUNT, ROOM) ?? {};
    const nodes = placed?.nodes ?? [];
    for (const a of nodes) {
      for (const b of nodes) {
        if (a === b || a.column !== b.column) continue;
        expect(Math.abs(a.y - b.y)).toBeGreaterThan(Math.min(a.size, b.size) * 0.99);
      }
      expect(a.y).toBeGreaterThan(0);
      expect(a.y).toBeLessThan(ROOM.height);
    }
    const logits = [0, 1, 2, 3].map((k) => unitOf(bundle, `logits:${k}`));
    expect(nodes.filter((n) => n.column === 8).map((n) => n.unit)).toEqual(logits);
  });

  it("does not depend on the step, and is the same each time", async () => {
    const { bundle } = await parts();
    const again = await real();
    const place = (b: typeof bundle) =>
      model(b, ASKED, AMOUNT, ROOM)?.layout.nodes.map((n) => [n.unit, n.x, n.y]);
    expect(place(bundle)).toEqual(place(again));
  });

  it("keeps each column's order when a selection brings others in below", async () => {
    const { bundle } = await parts();
    const before = model(bundle, ASKED, AMOUNT, ROOM)?.layout;
    const after = model(bundle, { ...ASKED, token: 2 }, AMOUNT, ROOM)?.layout;
    const rows = (l: typeof before, column: number) =>
      l?.nodes
        .filter((n) => n.column === column && !n.isGuest)
        .sort((a, b) => a.y - b.y)
        .map((n) => n.unit);
    for (let column = 0; column <= 8; column++)
      expect(rows(after, column)).toEqual(rows(before, column));
    for (const guest of after?.nodes.filter((n) => n.isGuest) ?? []) {
      expect(guest.y).toBeGreaterThan(after?.guestsFrom ?? Infinity);
      expect(guest.y + guest.size / 2).toBeLessThanOrEqual(ROOM.height);
    }
  });

  it("puts coupled units beside each other", async () => {
    const { couplings } = await parts();
    const shown = [
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ];
    const sorted = order(couplings, shown);
    expect(sorted.map((column) => [...column].sort((a, b) => a - b))).toEqual(shown);
  });

  it("is hit where its nodes are", async () => {
    const { bundle } = await parts();
    const placed = layout([[0, 1]], [], bundle.units, 3, ROOM);
    const node = placed.byUnit.get(1);
    expect(nodeAt(placed.nodes, (node?.x ?? 0) + 2, node?.y ?? 0)?.unit).toBe(1);
    expect(nodeAt(placed.nodes, node?.x ?? 0, -20)).toBeNull();
    expect(nodeAt(placed.nodes, (node?.x ?? 0) + 100, node?.y ?? 0)).toBeNull();
  });
});

describe("ancestry", () => {
  const size = (couplings: Couplings) => (edge: number) =>
    Math.abs(weightAt(couplings, edge, 10, { weights: "total", token: null }));

  it("leads down to the pixels and up to the tokens, never sideways", async () => {
    const { bundle, couplings } = await parts();
    const unit = unitOf(bundle, "conv5:3");
    const found = lineage(couplings, bundle.units, unit, size(couplings));
    const layers = new Set([...found.units.keys()].map((unit) => bundle.units.layer(unit)));
    expect([...layers].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...found.units.keys()].filter((unit) => bundle.units.layer(unit) === 4)).toEqual([
      unit,
    ]);
  });

  it("follows the strongest edges, so many from each and so many a layer", async () => {
    const { bundle, couplings } = await parts();
    const [unit, weigh] = [unitOf(bundle, "conv5:3"), size(couplings)];
    const found = follow(couplings, bundle.units, unit, "down", weigh, { each: 2, layer: 3 });
    const own = [...edgesOf(couplings.into, unit)].sort((a, b) => weigh(b) - weigh(a));
    expect(
      [...found.edges.keys()].filter((edge) => couplings.target[edge] === unit).sort(),
    ).toEqual(own.slice(0, 2).sort());
    for (let layer = 0; layer < 4; layer++) {
      expect(
        [...found.units.keys()].filter((u) => bundle.units.layer(u) === layer).length,
      ).toBeLessThanOrEqual(3);
    }
  });

  it("multiplies sizes along a path", async () => {
    const { bundle, couplings } = await parts();
    const [unit, narrow] = [unitOf(bundle, "conv5:3"), { each: 1, layer: 1 }];
    const found = follow(couplings, bundle.units, unit, "down", () => 0.5, narrow);
    expect([...found.edges.values()]).toEqual([0.5, 0.25, 0.125, 0.0625, 0.03125]);
  });
});

describe("the scene", () => {
  it("lets edges fade in above their threshold", () => {
    expect(presence(0.1, 0.2)).toBe(0);
    expect(presence(0.3, 0.2)).toBe(1);
    expect(presence(0.2, 0.2)).toBeGreaterThan(0.3);
    expect(presence(Number.NaN, 0.2)).toBe(0);
    expect(presence(0, 0)).toBe(0);
  });

  it("holds the weights of every step, and those between", async () => {
    const { bundle } = await parts();
    const found = model(bundle, ASKED, AMOUNT, ROOM);
    if (!found) throw new Error("the run has couplings");
    const { scene, links } = found;
    const [a, b] = [weightIn(scene, 5, 3), weightIn(scene, 5, 4)];
    expect(a).toBeCloseTo(links.weight(scene.edges[5] ?? -1, 3, found.reading), 6);
    expect(weightIn(scene, 5, 3.5)).toBeCloseTo((a + b) / 2, 6);
  });

  it("is empty-handed, not wrong, where there are no couplings", async () => {
    const bundle = await real();
    delete bundle.manifest.arrays["coupling"];
    expect(model(bundle, ASKED, AMOUNT, ROOM)).toBeNull();
  });
});
