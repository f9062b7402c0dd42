/** Which picture stands for a unit at a step: the film's, the last preferred image, or a crop. */
import type { Bundle, Sheet } from "./bundle";

export interface Picture {
  sheet: Sheet;
  /** Box in the sheet. */
  x: number;
  y: number;
  width: number;
  height: number;
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

function cell(sheet: Sheet, index: number, kind: Picture["kind"]): Picture {
  const [width, height] = sheet.cell;
  const x = (index % sheet.columns) * width;
  return { sheet, x, y: Math.floor(index / sheet.columns) * height, width, height, kind };
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
  return { ...cell(film, row * steps.length + column, "film"), step: steps[column] ?? 0 };
}

/** Index of the step nearest on a log scale. */
export function nearest(steps: readonly number[], step: number): number {
  const far = (k: number) => Math.abs(Math.log1p(steps[k] ?? 0) - Math.log1p(step));
  return steps.reduce((best, _, k) => (far(k) < far(best) ? k : best), 0);
}

function preferred(bundle: Bundle, unit: number): Picture | null {
  const sheet = bundle.sheet("preferred");
  const index = sheet && picturePlace(bundle, unit);
  if (sheet === null || index === null) return null;
  return cell(sheet, index, "preferred");
}

/** The part of a top exemplar that the unit answered to, cut from the probe's sheet. */
export function topExemplar(bundle: Bundle, unit: number, rank: number): Picture | null {
  const sheet = bundle.sheet("probe");
  const index = picturePlace(bundle, unit);
  const exemplar =
    index === null ? Number.NaN : (bundle.array("top_exemplar")?.at(index, rank) ?? NaN);
  if (!sheet || index === null || !(exemplar >= 0 && exemplar < sheet.count)) return null;
  const whole = cell(sheet, exemplar, "exemplar");
  const [row, column, side] = ["top_row", "top_column", "top_size"].map(
    (name) => bundle.array(name)?.at(index, rank) ?? Number.NaN,
  );
  if (row === undefined || column === undefined || side === undefined) return whole;
  if (!Number.isFinite(row + column + side) || side < 1) return whole;
  const [w, h] = sheet.cell;
  const [left, top] = [Math.max(0, Math.min(column, w - 1)), Math.max(0, Math.min(row, h - 1))];
  return {
    ...whole,
    x: whole.x + left,
    y: whole.y + top,
    width: Math.min(side, w - left),
    height: Math.min(side, h - top),
  };
}

export function exemplarPicture(bundle: Bundle, exemplar: number): Picture | null {
  const sheet = bundle.sheet("probe");
  return sheet && exemplar < sheet.count ? cell(sheet, exemplar, "exemplar") : null;
}

export function drawPicture(
  pen: CanvasRenderingContext2D,
  picture: Picture,
  x: number,
  y: number,
  side: number,
): void {
  const { sheet, width, height } = picture;
  const scale = side / Math.max(width, height);
  const [w, h] = [width * scale, height * scale];
  pen.imageSmoothingEnabled = width > 14;
  pen.drawImage(
    sheet.image, picture.x, picture.y, width, height,
    x + (side - w) / 2, y + (side - h) / 2, w, h,
  ); // prettier-ignore
}
