import { describe, expect, it } from "vitest";
import { field } from "../src/data/field";
import type { ArrayEntry, DType } from "../src/data/manifest";

const entry = (dtype: DType, shape: number[], more: Partial<ArrayEntry> = {}): ArrayEntry => ({
  blob: "b", offset: 0, dtype, shape, dims: shape.map((_, k) => `d${k}`), scale: 1, add: 0, missing: null,
  units: "1", definition: "", source: "", error: 0, ...more,
}); // prettier-ignore

describe("an array of the bundle", () => {
  it("is read in row-major order, from its offset", () => {
    const raw = new Float32Array([9, 1, 2, 3, 4, 5, 6]);
    const own = field("a", entry("float32", [2, 3], { offset: 4 }), raw.buffer);
    expect([own?.at(0, 0), own?.at(0, 2), own?.at(1, 0), own?.at(1, 2)]).toEqual([1, 3, 4, 6]);
  });

  it("is read so with three dims too, and has nothing beyond the end of a row", () => {
    const own = field(
      "a",
      entry("uint8", [2, 2, 3]),
      Uint8Array.from({ length: 12 }, (_, k) => k).buffer,
    );
    expect([own?.at(1, 0, 0), own?.at(1, 1, 2), own?.at(0, 1, 1)]).toEqual([6, 11, 4]);
    expect(own?.at(0, 0, 3)).toBeNaN();
    expect(own?.size("d2")).toBe(3);
  });

  it("is had back from its packing: raw times scale plus add", () => {
    const own = field(
      "a",
      entry("int8", [3], { scale: 0.5, add: 10 }),
      new Int8Array([-2, 0, 4]).buffer,
    );
    expect([own?.at(0), own?.at(1), own?.at(2)]).toEqual([9, 10, 12]);
  });

  it("is 0 where it is 0 within the packing's error", () => {
    const own = field(
      "a",
      entry("uint8", [2], { scale: 0.1, add: -0.501, error: 0.05 }),
      new Uint8Array([5, 6]).buffer,
    );
    expect(own?.at(0)).toBe(0);
    expect(own?.at(1)).toBeCloseTo(0.099);
  });

  it("has NaN, never a number, where the raw integer stands for missing", () => {
    const own = field(
      "a",
      entry("int8", [2], { missing: -128, scale: 0.1 }),
      new Int8Array([-128, 1]).buffer,
    );
    expect(own?.at(0)).toBeNaN();
    expect(own?.at(1)).toBeCloseTo(0.1);
  });

  it("keeps the NaN of floats", () => {
    expect(
      field("a", entry("float32", [1]), new Float32Array([Number.NaN]).buffer)?.at(0),
    ).toBeNaN();
  });

  it.each([[-1], [2], [Number.NaN]])("has NaN outside its range, at %s", (index) => {
    expect(field("a", entry("float32", [2]), new Float32Array([1, 2]).buffer)?.at(index)).toBeNaN();
  });

  it("lies between two steps where the position does, and on the one that is known", () => {
    const own = field("a", entry("float32", [3, 1]), new Float32Array([1, 3, Number.NaN]).buffer);
    expect(own?.between(0.25, 0)).toBe(1.5);
    expect(own?.between(1, 0)).toBe(3);
    expect(own?.between(1.5, 0)).toBe(3);
  });

  it("is refused where its blob is too short or its offset is not aligned", () => {
    const blob = new Float32Array([1, 2]).buffer;
    expect(field("a", entry("float32", [3]), blob)).toBeNull();
    expect(field("a", entry("float32", [1], { offset: 2 }), blob)).toBeNull();
  });
});
