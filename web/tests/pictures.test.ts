import { describe, expect, it } from "vitest";
import type { Bundle, Sheet } from "../src/data/bundle";
import type { ArrayName } from "../src/data/names";
import { drawPicture, pictureOf, topExemplar } from "../src/data/pictures";
import { override, real } from "./helpers";

const sheetOf = (columns: number, cell: [number, number], count: number): Sheet => ({
  image: {} as ImageBitmap, columns, cell, count,
}); // prettier-ignore

/** The run with its sheets as the manifest says, without a browser that could unpack them. */
async function withSheets(values: Partial<Record<ArrayName, number>> = {}): Promise<Bundle> {
  const bundle = await real();
  bundle.sheet = (name) => {
    const { columns, cell, count } = bundle.manifest.sheets[name] ?? {};
    return columns && cell && count ? sheetOf(columns, cell, count) : null;
  };
  for (const [name, value] of Object.entries(values))
    override(bundle, name as ArrayName, () => value);
  return bundle;
}

/** Corner of a cell in a sheet of the run. */
function corner(bundle: Bundle, sheet: string, k: number): [number, number] {
  const { columns = 1, cell = [0, 0] } = bundle.manifest.sheets[sheet] ?? {};
  return [(k % columns) * cell[0], Math.floor(k / columns) * cell[1]];
}

describe("pictures", () => {
  it("are the film's at the nearest of its steps, where a unit has a film", async () => {
    const bundle = await withSheets();
    const [steps, units] = ["film_step", "film_unit"].map((dim) =>
      bundle.coordinate(dim).map(Number),
    );
    const found = pictureOf(bundle, units?.[2] ?? -1, steps?.[1] ?? 0);
    expect([found?.kind, found?.step]).toEqual(["film", steps?.[1]]);
    expect([found?.x, found?.y]).toEqual(corner(bundle, "film", 2 * (steps?.length ?? 0) + 1));
  });

  it("are the last preferred image elsewhere, and where there is none a part of an exemplar", async () => {
    const bundle = await withSheets();
    const films = new Set(bundle.coordinate("film_unit"));
    const has = (k: number) => bundle.array("has_preferred")?.at(k) === 1;
    const units = bundle.coordinate("picture_unit").map(Number);
    const place = units.findIndex((unit, k) => has(k) && !films.has(unit));
    const [x, y] = corner(bundle, "preferred", place);
    const found = pictureOf(bundle, units[place] ?? -1, 0);
    expect(found).toMatchObject({ kind: "preferred", x, y, width: 40, side: 40 });
    const other = units.find((unit, k) => !has(k) && !films.has(unit)) ?? -1;
    expect(pictureOf(bundle, other, 0)?.kind).toBe("exemplar");
  });

  it("of exemplars are cut to the box, and leave room where the box leaves the image", async () => {
    const bundle = await withSheets({ top_exemplar: 12, top_row: 12, top_column: -3, top_size: 8 });
    const [x, y] = corner(bundle, "probe", 12);
    expect(topExemplar(bundle, 5, 0)).toMatchObject({
      x, y: y + 12, width: 5, height: 4, left: 3, top: 0, side: 8,
    }); // prettier-ignore
  });

  it("of exemplars end where the image ends", async () => {
    const bundle = await withSheets({ top_exemplar: 0, top_row: 0, top_column: 12, top_size: 8 });
    expect(topExemplar(bundle, 5, 0)).toMatchObject({
      x: 12,
      y: 0,
      width: 4,
      height: 8,
      left: 0,
      side: 8,
    });
  });

  it("are not there where the exemplar is unknown", async () => {
    expect(topExemplar(await withSheets({ top_exemplar: Number.NaN }), 5, 0)).toBeNull();
    expect(topExemplar(await withSheets({ top_exemplar: 32 }), 5, 0)).toBeNull();
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
