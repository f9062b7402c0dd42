import { describe, expect, it } from "vitest";
import type { Bundle, Sheet } from "../src/data/bundle";
import { drawPicture, pictureOf, topExemplar } from "../src/data/pictures";
import { made } from "./helpers";

const sheetOf = (columns: number, cell: [number, number], count: number): Sheet => ({
  image: {} as ImageBitmap, columns, cell, count,
}); // prettier-ignore

/** The made-up run with sheets that need no browser, and other numbers for some arrays. */
async function withSheets(values: Record<string, number>): Promise<Bundle> {
  const bundle = await made();
  const sheets: Record<string, Sheet> = {
    probe: sheetOf(10, [32, 32], 40),
    preferred: sheetOf(30, [20, 20], 1221),
    film: sheetOf(50, [20, 20], 3000),
  };
  bundle.sheet = (name) => sheets[name] ?? null;
  const array = bundle.array.bind(bundle);
  bundle.array = (name) => {
    const value = values[name];
    return value === undefined
      ? array(name)
      : ({ at: () => value } as unknown as ReturnType<typeof array>);
  };
  return bundle;
}

describe("pictures", () => {
  it("are the film's at the nearest of its steps, where a unit has a film", async () => {
    const bundle = await withSheets({});
    const steps = bundle.coordinate("film_step").map(Number);
    const found = pictureOf(bundle, 8, steps[1] ?? 0);
    const cell = 2 * steps.length + 1;
    expect([found?.kind, found?.step]).toEqual(["film", steps[1]]);
    expect([found?.x, found?.y]).toEqual([(cell % 50) * 20, Math.floor(cell / 50) * 20]);
  });

  it("are the last preferred image elsewhere", async () => {
    const found = pictureOf(await withSheets({}), 33, 0);
    expect(found).toMatchObject({ kind: "preferred", x: 60, y: 20, width: 20, side: 20 });
  });

  it("of exemplars are cut to the box, and leave room where the box leaves the image", async () => {
    const bundle = await withSheets({ top_exemplar: 12, top_row: 28, top_column: -3, top_size: 8 });
    expect(topExemplar(bundle, 5, 0)).toMatchObject({
      x: 64, y: 32 + 28, width: 5, height: 4, left: 3, top: 0, side: 8,
    }); // prettier-ignore
  });

  it("of exemplars end where the image ends", async () => {
    const bundle = await withSheets({ top_exemplar: 0, top_row: 0, top_column: 28, top_size: 8 });
    expect(topExemplar(bundle, 5, 0)).toMatchObject({
      x: 28,
      y: 0,
      width: 4,
      height: 8,
      left: 0,
      side: 8,
    });
  });

  it("are not there where the exemplar is unknown", async () => {
    expect(topExemplar(await withSheets({ top_exemplar: Number.NaN }), 5, 0)).toBeNull();
    expect(topExemplar(await withSheets({ top_exemplar: 40 }), 5, 0)).toBeNull();
  });

  it("are drawn to scale in their square", () => {
    const drawn: number[][] = [];
    const pen = { drawImage: (_: unknown, ...place: number[]) => drawn.push(place) };
    const picture = {
      sheet: sheetOf(1, [32, 32], 1),
      x: 1,
      y: 2,
      width: 4,
      height: 8,
      left: 2,
      top: 0,
      side: 8,
      kind: "exemplar" as const,
    };
    drawPicture(pen as unknown as CanvasRenderingContext2D, picture, 100, 200, 40);
    expect(drawn).toEqual([[1, 2, 4, 8, 110, 200, 20, 40]]);
  });
});
