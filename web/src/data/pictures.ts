/** Which picture stands for a unit at a step: the film's, the last preferred image, or a crop. */
import type { Bundle, Sheet } from "./bundle";
import type { ArrayName } from "./names";

export interface Picture {
  sheet: Sheet;
  /** Box in the sheet. */
  x: number;
  y: number;
  width: number;
  height: number;
  /** Where this box lies in the square that is drawn, and the square's side, in the same pixels. */
  left: number;
  top: number;
  side: number;
  kind: "film" | "preferred" | "exemplar";
  /** Step at which the film's picture was made. */
  step?: number;
}

const places = new WeakMap<Bundle, Map<string, Map<number, number>>>();

/** Index of each unit along a dim of the sheets. */
function placesAlong(bundle: Bundle, dim: string, count: number): Map<number, number> {
  let own = places.get(bundle);
  if (!own) places.set(bundle, (own = new Map()));
  const known = own.get(dim);
  if (known) return known;
  const named = bundle.coordinate(dim);
  const made = new Map<number, number>();
  const list = named.length > 0 ? named : Array.from({ length: count }, (_, k) => k);
  list.forEach((name, k) => {
    const unit = typeof name === "number" ? name : bundle.units.index(name);
    if (unit !== null) made.set(unit, k);
  });
  own.set(dim, made);
  return made;
}

/** Index of a unit among those with pictures; null if it has none. */
export function picturePlace(bundle: Bundle, unit: number): number | null {
  const count = bundle.manifest.sheets["preferred"]?.count ?? bundle.units.count;
  return placesAlong(bundle, "picture_unit", count).get(unit) ?? null;
}

/** A box in cell k of a sheet, in the middle of the square that is drawn. */
function box(
  sheet: Sheet,
  k: number,
  [width, height]: [number, number],
  kind: Picture["kind"],
): Picture {
  const [w, h] = sheet.cell;
  const side = Math.max(width, height);
  return {
    sheet, kind, side, width, height,
    x: (k % sheet.columns) * w,
    y: Math.floor(k / sheet.columns) * h,
    left: (side - width) / 2,
    top: (side - height) / 2,
  }; // prettier-ignore
}

/** The picture of a unit at a step; null if there is none (yet). */
export function pictureOf(bundle: Bundle, unit: number, step: number): Picture | null {
  return filmPicture(bundle, unit, step) ?? preferred(bundle, unit) ?? topExemplar(bundle, unit, 0);
}

function filmPicture(bundle: Bundle, unit: number, step: number): Picture | null {
  const film = bundle.sheet("film");
  if (!film) return null;
  const steps = bundle.coordinate("film_step").map(Number);
  const row = placesAlong(bundle, "film_unit", film.count).get(unit);
  if (row === undefined || steps.length === 0) return null;
  const column = nearest(steps, step);
  const own = box(film, row * steps.length + column, film.cell, "film");
  return { ...own, step: steps[column] ?? 0 };
}

/** Index of the step nearest on a log scale. */
export function nearest(steps: readonly number[], step: number): number {
  const far = (k: number) => Math.abs(Math.log1p(steps[k] ?? 0) - Math.log1p(step));
  return steps.reduce((best, _, k) => (far(k) < far(best) ? k : best), 0);
}

function preferred(bundle: Bundle, unit: number): Picture | null {
  const sheet = bundle.sheet("preferred");
  const index = sheet && picturePlace(bundle, unit);
  if (sheet === null || index === null || bundle.array("has_preferred")?.at(index) === 0)
    return null;
  return box(sheet, index, sheet.cell, "preferred");
}

/** The part of a top exemplar that the unit answered to, cut from the probe's sheet. */
export function topExemplar(bundle: Bundle, unit: number, rank: number): Picture | null {
  const sheet = bundle.sheet("probe");
  if (bundle.isSketch("top_exemplar")) return sketchedExemplar(bundle, unit, rank);
  const index = picturePlace(bundle, unit);
  const exemplar =
    index === null ? Number.NaN : (bundle.array("top_exemplar")?.at(index, rank) ?? NaN);
  if (!sheet || index === null || !(exemplar >= 0 && exemplar < sheet.count)) return null;
  const whole = box(sheet, exemplar, sheet.cell, "exemplar");
  const at = (name: ArrayName) => bundle.array(name)?.at(index, rank) ?? Number.NaN;
  const [row, column, side] = [at("top_row"), at("top_column"), at("top_size")];
  if (!Number.isFinite(row + column + side) || side < 1) return whole;
  const [w, h] = sheet.cell;
  const [left, top] = [Math.max(0, column), Math.max(0, row)];
  const [right, bottom] = [Math.min(w, column + side), Math.min(h, row + side)];
  if (right <= left || bottom <= top) return whole;
  return {
    ...whole,
    x: whole.x + left,
    y: whole.y + top,
    width: right - left,
    height: bottom - top,
    left: left - column,
    top: top - row,
    side,
  };
}

/** The whole exemplar that drives a unit most so far: where in it, only the network knows. */
function sketchedExemplar(bundle: Bundle, unit: number, rank: number): Picture | null {
  const exemplar = bundle.array("sketch_top_exemplar")?.at(unit, rank) ?? Number.NaN;
  return exemplar >= 0 ? exemplarPicture(bundle, exemplar) : null;
}

export function exemplarPicture(bundle: Bundle, exemplar: number): Picture | null {
  const sheet = bundle.sheet("probe");
  return sheet && exemplar < sheet.count ? box(sheet, exemplar, sheet.cell, "exemplar") : null;
}

export function drawPicture(
  pen: CanvasRenderingContext2D,
  picture: Picture,
  x: number,
  y: number,
  side: number,
): void {
  const { sheet, width, height } = picture;
  const scale = side / picture.side;
  // tiny exemplars are shown as the pixels that they are; smoothed, they would be a blur
  pen.imageSmoothingEnabled = width > 14;
  pen.drawImage(
    sheet.image, picture.x, picture.y, width, height,
    x + picture.left * scale, y + picture.top * scale, width * scale, height * scale,
  ); // prettier-ignore
}
