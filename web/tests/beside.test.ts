/** Two runs, or a run and its twin, side by side. */
import { describe, expect, it } from "vitest";
import { firstDifference, kinship, namesOfBoth, tokenRows } from "../src/views/compare/differ";
import { readManifest, type RunInfo } from "../src/data/manifest";
import { besideOf, type Source } from "../src/data/source";
import { areKin, partedAt, translate, type Selection } from "../src/state/mirror";
import { edgeCode, type Names } from "../src/state/state";
import { lastStep, real } from "./helpers";

const run = (change: Partial<RunInfo>): RunInfo => ({
  ...readManifest({}).run,
  task: "faces",
  seed: 0,
  parent: null,
  ...change,
});

describe("twins", () => {
  const first = run({ name: "first" });
  it("part at the step that one of them began from", () => {
    const twin = run({ name: "twin", parent: { name: "first", step: 40 } });
    expect(partedAt(first, twin)).toBe(40);
    expect(partedAt(twin, first)).toBe(40);
  });
  it("of one parent part where the earlier one left it", () => {
    const [a, b] = [60, 20].map((step) =>
      run({ name: `${step}`, parent: { name: "first", step } }),
    );
    expect(partedAt(a!, b!)).toBe(20);
  });
  it("are not runs of another seed", () => {
    expect(partedAt(first, run({ name: "other", seed: 1 }))).toBeNull();
    expect(areKin(first, run({ seed: 1 }))).toBe(false);
    expect(areKin(first, run({ name: "again" }))).toBe(true);
  });
});

describe("a selection in another run", () => {
  const names = (tokens: string[], shift: number): Names => ({
    views: ["compare"],
    steps: [0, 1],
    layers: ["pixels", "conv1"],
    tokens,
    exemplars: [5, 6 + shift],
    unitIndex: () => null,
    unitName: (unit) => `conv1:${unit - shift}`,
    endIndex: (name) => Number(name.slice(6)) + shift,
  });
  const [from, to] = [names(["a", "b"], 0), names(["b", "c"], 10)];
  const own: Selection = { unit: 3, token: 1, exemplar: 1, layer: 1, edge: edgeCode(2, 3) };
  it("is what has the same names there", () => {
    const found = translate(own, from, to, true);
    expect(found).toEqual({ unit: 13, token: 0, exemplar: null, layer: 1, edge: edgeCode(12, 13) });
  });
  it("holds no units and exemplars of a stranger", () => {
    const found = translate({ ...own, exemplar: 0 }, from, to, false);
    expect(found).toEqual({ unit: null, token: 0, exemplar: null, layer: 1, edge: null });
  });
});

describe("what two runs differ in", () => {
  it("is nothing between a run and itself", async () => {
    const one = await real();
    expect(firstDifference(one, one)).toBeNull();
    expect(kinship(one, one)).toContain("nothing recorded differs");
    expect(namesOfBoth(one, one)[1]).toContain("(beside)");
  });
  it("is said token by token, each run at its own step", async () => {
    const one = await real();
    const last = lastStep(one);
    const [row] = tokenRows(one, one, 0, last);
    const accuracy = one.array("token_accuracy");
    expect(row?.left).toBe(accuracy?.at(0, 1, 0));
    expect(row?.right).toBe(accuracy?.at(last, 1, 0));
    expect(row?.right).toBeGreaterThan(row?.left ?? 1);
    expect(row?.rightOnset).toMatch(/^between steps \d+ and \d+$/);
  });
});

describe("the bundle beside", () => {
  it("is read from the manifest, one deep", () => {
    const own = readManifest({ beside: { run: { name: "b" }, beside: { run: { name: "c" } } } });
    expect(own.beside?.run.name).toBe("b");
    expect(own.beside?.beside).toBeNull();
    expect(readManifest({ beside: "x" }).beside).toBeNull();
  });
  it("has its blobs under a name of their own", async () => {
    const asked: string[] = [];
    const source: Source = {
      isLive: false,
      address: () => "x",
      manifest: () => Promise.reject(new Error()),
      blob: (name) => (asked.push(name), Promise.resolve(new ArrayBuffer(0))),
    };
    await besideOf(source).blob("base");
    expect(asked).toEqual(["beside/base"]);
    expect(besideOf(source).address("ask")).toBeNull();
  });
});
