/** Trees, lives, assemblies, walks, drawings as SVG, answers of the server. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { leaves, treeOf } from "../src/views/categories/tree";
import { remarkable, type Life } from "../src/data/lives";
import { together } from "../src/views/construction/groups";
import { PIXEL, Units } from "../src/data/units";
import { layout } from "../src/views/construction/layout";
import { walk } from "../src/views/construction/walk";
import {
  ask,
  mapEnds,
  mapPath,
  picturePath,
  readMap,
  readPictureGraph,
  readWithout,
  withoutPath,
} from "../src/data/ask";
import type { Bundle } from "../src/data/bundle";
import { SvgPen } from "../src/draw/svg";

function withSplits(sides: number[][]): Bundle {
  const [nSplits, nTokens] = [sides.length, sides[0]?.length ?? 0];
  const field = {
    dims: ["layer_all", "split_node", "token"],
    shape: [1, nSplits, nTokens],
    at: (_: number, split: number, token: number) => sides[split]?.[token] ?? Number.NaN,
  };
  return { array: () => field } as unknown as Bundle;
}

describe("the token tree", () => {
  it("is built from its splits, in whatever order they come", () => {
    const tree = treeOf(
      withSplits([
        [0, 1, -1, 0],
        [1, -1, -1, 1],
        [1, 0, 0, -1],
      ]),
      0,
    );
    expect(tree?.split).toBe(1);
    expect(tree?.sides?.map((side) => side.tokens)).toEqual([
      [0, 3],
      [1, 2],
    ]);
    expect(tree?.sides?.map((side) => side.split)).toEqual([2, 0]);
    expect(tree && leaves(tree)).toEqual([0, 3, 1, 2]);
  });
  it("stays whole where nothing splits it", () => {
    expect(treeOf(withSplits([[NaN, NaN]]), 0)).toEqual({
      tokens: [0, 1],
      split: null,
      sides: null,
    });
  });
});

describe("lives of exemplars", () => {
  const life = (exemplar: number, keptBy: number, forgotten: number): Life => ({
    exemplar,
    token: exemplar % 2,
    keptBy,
    forgotten,
  });
  const lives = [life(0, 5, 0), life(1, 90, 3), life(2, Infinity, 7), life(3, 40, 1)];
  it("are sorted by when they were kept, and how often lost", () => {
    const found = remarkable(lives, null, 2);
    expect(found.early.map((one) => one.exemplar)).toEqual([0, 3]);
    expect(found.late.map((one) => one.exemplar)).toEqual([1, 3]);
    expect(found.forgotten.map((one) => one.exemplar)).toEqual([2, 1]);
    expect(found.never.map((one) => one.exemplar)).toEqual([2]);
  });
  it("are of one token where one is chosen", () => {
    expect(remarkable(lives, 1, 9).early.map((one) => one.exemplar)).toEqual([3, 1]);
  });
});

describe("assemblies", () => {
  it("lie together, those in none last, nobody lost", () => {
    const groupOf = (unit: number) => [7, 2, 7, null, 2][unit] ?? null;
    const [column] = together([[0, 1, 2, 3, 4]], groupOf);
    expect(column).toEqual([0, 2, 1, 4, 3]);
  });
});

describe("a walk with the arrows", () => {
  const units = new Units([
    { name: "conv1", kind: "conv", first: 0, count: 3 },
    { name: "logits", kind: "logits", first: 3, count: 2 },
  ]);
  const placed = layout(
    [
      [2, 0, 1],
      [3, 4],
    ],
    [],
    units,
    3,
    { width: 800, height: 400 },
  );
  it("goes along a column and to the next", () => {
    expect(walk(placed, null, "ArrowRight")?.unit).toBe(2);
    expect(walk(placed, 2, "ArrowDown")?.unit).toBe(0);
    expect(walk(placed, 1, "ArrowDown")?.unit).toBe(1);
    expect(walk(placed, 1, "ArrowRight")?.unit).toBe(4);
    expect(walk(placed, 0, "ArrowLeft")?.unit).toBe(PIXEL - 1);
    expect(walk(placed, 4, "ArrowRight")?.unit).toBe(4);
  });
});

describe("a drawing as SVG", () => {
  const pen = () => new SvgPen(() => "data:,");
  it("has the lines, texts and pictures that were painted", () => {
    const own = pen();
    own.save();
    own.translate(5, 6);
    own.beginPath();
    own.moveTo(0, 0);
    own.lineTo(3, 4);
    own.strokeStyle = "#ff0000";
    own.stroke();
    own.restore();
    own.font = '600 12px "A"';
    own.fillText('<img src=x onerror="a">', 1, 2);
    own.drawImage({} as CanvasImageSource, 0, 0, 1, 1, 2, 3, 4, 5);
    const text = own.text();
    expect(text).toContain('<path d="M0 0L3 4" fill="none" stroke="#ff0000"');
    expect(text).toContain('font-weight="600"');
    expect(text).not.toContain("<img");
    expect(text).toContain('<image x="2" y="3" width="4" height="5"');
    expect(text.match(/<g /g)?.length).toBe(text.match(/<\/g>/g)?.length);
  });
  it("turns boxes of negative size round", () => {
    const own = pen();
    own.fillRect(10, 10, -4, -2);
    expect(own.text()).toContain('x="6" y="8" width="4" height="2"');
  });
});

describe("what the server is asked", () => {
  afterEach(() => vi.unstubAllGlobals());
  it("is written so that no name can leave its place", () => {
    expect(mapPath(3, "conv1:2&x=1", 9)).toBe("ask/map?step=3&unit=conv1%3A2%26x%3D1&exemplar=9");
  });
  it("is a map of numbers or a sentence", () => {
    expect(
      mapEnds(
        readMap({
          values: [
            [1, 2],
            [0, 5],
          ],
        }),
      ),
    ).toEqual([0, 5]);
    for (const bad of [null, {}, { values: [] }, { values: [["x"]] }]) {
      expect(() => readMap(bad)).toThrow(/map of numbers/);
    }
  });
  it("is a column of numbers for every token, or a sentence", () => {
    const columns = { accuracy: [1], accuracy_without: [0.5], logit: [-1], logit_low: [null] };
    const found = readWithout({ token: ["ada"], ...columns, logit_high: [0] });
    expect(found.accuracy_without).toEqual([0.5]);
    expect(withoutPath(3, "conv1:2")).toBe("ask/without?step=3&unit=conv1%3A2");
    for (const bad of [null, {}, { token: [] }, { token: ["ada"], ...columns, logit_high: [] }]) {
      expect(() => readWithout(bad)).toThrow(/every token/);
    }
  });
  it("is a graph of units by layer, or a sentence", () => {
    const row = { layer: "fc1", units: ["fc1:2", "fc1:0"], attribution: [1.5, -0.5] };
    const graph = { token: "ada", explained: 1.1, bias: 0.1, layers: [row] };
    expect(readPictureGraph(graph).layers[0]?.units).toEqual(["fc1:2", "fc1:0"]);
    expect(picturePath(42, 3000)).toBe("ask/picture?step=42&exemplar=3000");
    const short = { ...row, attribution: [1] };
    for (const bad of [
      null,
      {},
      { ...graph, bias: null },
      { ...graph, layers: [short] },
      { ...graph, layers: [{}] },
    ]) {
      expect(() => readPictureGraph(bad)).toThrow(/units of every layer/);
    }
  });
  it("is refused in the server's own words", async () => {
    vi.stubGlobal("fetch", async () => new Response("no such unit\n", { status: 409 }));
    await expect(ask("x")).rejects.toThrow("no such unit");
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed")));
    await expect(ask("x")).rejects.toThrow(/does not answer/);
  });
});
