import { describe, expect, it } from "vitest";
import { ends, mapPosition, placesOf, spots } from "../src/views/categories/places";
import { inSight, ordered } from "../src/views/detectors/order";
import { interval, percent, show } from "../src/draw/canvas";
import { diverging, palette, tokenColours, viridis } from "../src/draw/colour";
import { csv } from "../src/draw/download";
import { path } from "../src/draw/shapes";
import { softmax } from "../src/shell/exemplar-card";
import { apart, hardest, tellers, unconfused } from "../src/shell/pair";
import { axis, ticks } from "../src/timeline/axis";
import { spaced } from "../src/timeline/draw";
import { rows } from "../src/timeline/rows";
import { titleOf } from "../src/views/categories/view";
import { lastStep, layerAt, override, real } from "./helpers";

describe("colours", () => {
  it("of tokens are the run's own where they are colours, else Okabe-Ito's; black is the ink", () => {
    expect(tokenColours(3, ["#112233", "url(x)", "#000000"], "#eeeeee")).toEqual([
      "#112233",
      "#E69F00",
      "#eeeeee",
    ]);
  });
  it("run from dark to light, and from one sign to the other through the ground", () => {
    expect(viridis(0)).toEqual([68, 1, 84]);
    expect(viridis(2)).toEqual([253, 231, 37]);
    expect(diverging(0)).toEqual([250, 250, 250]);
    expect(diverging(1)).not.toEqual(diverging(-1));
    expect(palette(true, 5, []).tokens).toHaveLength(5);
  });
  it("go with a shape of their own", () => {
    expect(new Set([0, 1, 2, 3, 4, 5, 6, 7].map((token) => path(token, 5))).size).toBe(8);
  });
});

describe("numbers as text", () => {
  it.each([[Number.NaN, "–"], [null, "–"], [Infinity, "–"], [0, "0"], [-0.5, "−0.50"], [1234, "1,234"], [0.0004, "4.0e-4"], [12.34, "12.3"]])(
    "%s is %s", (value, text) => expect(show(value)).toBe(text)); // prettier-ignore
  it("say shares and intervals", () => {
    expect(percent(0.456)).toBe("46%");
    expect(percent(Number.NaN)).toBe("–");
    expect(interval(3, 8)).toBe("between steps 3 and 8");
    expect(interval(3, Infinity)).toBe("not shown in this run");
    expect(interval(Number.NaN, 8)).toBe("by step 8");
  });
  it("are safe in a table", () => {
    const table = csv({
      columns: ["a", "b"],
      rows: [
        ["=1+1", Number.NaN],
        ['x,"y"', 2],
      ],
    });
    expect(table).toBe('a,b\n\'=1+1,\n"x,""y""",2\n');
  });
  it("are shares of one after softmax", () => {
    expect(softmax([1000, 1000]).map((v) => v)).toEqual([0.5, 0.5]);
  });
});

describe("the axis of steps", () => {
  const steps = [0, 1, 3, 10, 100];
  it("goes to and fro", () => {
    const own = axis(steps, 50, 550);
    expect([own.x(0), own.x(100)]).toEqual([50, 550]);
    steps.forEach((step, k) => expect(own.position(own.x(step))).toBeCloseTo(k, 8));
    expect([own.position(-10), own.position(9999)]).toEqual([0, 4]);
  });
  it("has room between its numbers, and ends with the last step", () => {
    expect(ticks(1200, 600).at(-1)).toBe(1200);
    expect(ticks(1200, 120).length).toBeLessThan(5);
  });
});

describe("the map", () => {
  it("puts exemplars where they are at a map's step, and half-way between", async () => {
    const bundle = await real();
    const places = placesOf(bundle);
    if (!places) throw new Error("the run has maps");
    expect(mapPosition(places, places.steps[1] ?? 0)).toBeCloseTo(1, 8);
    const layer = layerAt(bundle, "fc1");
    const at = (position: number) => spots(places, layer, position, 100)[3];
    expect(at(0.5)?.x).toBeCloseTo(((at(0)?.x ?? 0) + (at(1)?.x ?? 0)) / 2, 3);
    const { count } = bundle.manifest.sheets["probe"] ?? {};
    expect(spots(places, layer, 0, 100)).toHaveLength(count ?? 0);
  });
  it("leaves a few far ones out of its frame", () => {
    const near = Array.from({ length: 1001 }, (_, k) => k);
    expect(ends([...near])).toEqual([0, 1000]);
    const [low, high] = ends([...near, -1e6, 1e6]);
    expect(low).toBeGreaterThan(-200);
    expect(high).toBeLessThan(1200);
  });
});

describe("detectors", () => {
  it("are filtered by token and ordered", async () => {
    const bundle = await real();
    const last = lastStep(bundle);
    const count = bundle.manifest.layers[4]?.count ?? 0;
    const all = ordered(bundle, 4, { token: null, step: last, order: "index" });
    expect(all).toHaveLength(count);
    const own = ordered(bundle, 4, { token: 1, step: last, order: "selectivity" });
    const signal = bundle.array("token_signal");
    const values = own.map((unit) => signal?.at(last, unit) ?? 0);
    expect(values).toEqual([...values].sort((a, b) => b - a));
    expect(own.length).toBeLessThan(count);
  });
  it("are drawn only where they are in sight", () => {
    expect(inSight(1000, 500, 100, 40)).toEqual({ from: 9, to: 16 });
    expect(inSight(0, 500, 100, 2)).toEqual({ from: 0, to: 2 });
  });
});

describe("telling two tokens apart", () => {
  it("names the layers where it came, and the units that do it", async () => {
    const bundle = await real();
    const layers = (a: string, b: string) => {
      const [one = -1, other = -1] = [a, b].map((name) => bundle.manifest.tokens.indexOf(name));
      return apart(bundle, one, other).map(({ layer }) => layer);
    };
    expect(layers("ada", "cleo")).toContain("fc1"); // as the answers of the run say
    expect(layers("cleo", "dov")).not.toContain("fc1");
    const units = tellers(bundle, 0, 2, lastStep(bundle), 5);
    expect(units).toHaveLength(5);
    expect(Math.abs(units[0]?.difference ?? 0)).toBeGreaterThanOrEqual(
      Math.abs(units[4]?.difference ?? 0),
    );
  });
  it("says from when on few exemplars of either are called the other", async () => {
    const bundle = await real();
    const { steps } = bundle.manifest;
    const at = (k: number) => steps[k] ?? Number.NaN;
    override(bundle, "confusion", ([k = 0, a, b]) => (a === b ? 0.9 : k === 2 ? 0.2 : 0.05));
    expect(unconfused(bundle, 0, 1)).toEqual({ after: at(2), by: at(3) });
    override(bundle, "confusion", ([, , b]) => (b === 3 ? 1 : 0)); // it gives all one name
    expect(unconfused(bundle, 0, 1).by).toBe(Number.POSITIVE_INFINITY);
    override(bundle, "confusion", ([, a, b]) => (a === b ? 1 : 0));
    expect(unconfused(bundle, 0, 1)).toEqual({ after: Number.NEGATIVE_INFINITY, by: at(0) });
  });
  it("begins with the two that are confused most", async () => {
    const bundle = await real();
    const most = hardest(bundle).map((token) => bundle.manifest.tokens[token]);
    expect(most.sort()).toEqual(["cleo", "dov"]); // as an observation of the run says
    override(bundle, "confusion", ([, a, b]) => (a === 3 && b === 1 ? 0.9 : 0.1));
    expect(hardest(bundle)).toEqual([3, 1]);
    override(bundle, "confusion", ([, a, b]) => (a === b ? 1 : 0));
    override(bundle, "crossnobis", ([, , a, b]) => (a === 2 && b === 0 ? 0.1 : 5));
    expect(hardest(bundle), "nobody is confused: the closest two").toEqual([2, 0]);
    bundle.array = () => null;
    expect(hardest(bundle)).toEqual([3, 0]);
  });
  it("writes the names of curves apart where they end together", () => {
    expect(spaced([10, 12, 60], 11, 100)).toEqual([10, 21, 60]);
    expect(spaced([95, 90], 11, 100)).toEqual([100, 89]);
  });
  it("has a row for each token and layer in the raster", async () => {
    const bundle = await real();
    expect(
      rows(bundle)
        .map((row) => row.name)
        .slice(0, 5),
    ).toEqual([...bundle.manifest.tokens, "pixels"]);
  });
  it("holds a layer separated only where its closest two tokens surely are, as the report does", async () => {
    const bundle = await real();
    const layer = bundle.layersAll().indexOf("fc1");
    const row = () => rows(bundle).find(({ name, token }) => name === "fc1" && token === null);
    override(bundle, "things_by", () => 2);
    override(bundle, "apart_by", () => 2);
    override(bundle, "separation_low", () => 1.2);
    expect(row()?.by).toBe(2);
    expect(titleOf(bundle, layer, lastStep(bundle))).toMatch(
      /fc1 separates 6 of 6 pairs of tokens$/,
    );
    override(bundle, "separation_low", () => 0.8);
    expect(row()?.by).toBe(Number.POSITIVE_INFINITY);
    expect(titleOf(bundle, layer, lastStep(bundle))).toMatch(/the closest two not surely$/);
  });
});
