/** Which detectors of a layer are shown, and in which order. */
import type { Bundle } from "../../data/bundle";
import { preferredToken, tokenSignal } from "../../data/facts";

export const ORDERS = ["selectivity", "onset", "index"] as const;
export type Order = (typeof ORDERS)[number];

/** Units of a layer, filtered by the token they answer to most at a step, and ordered. */
export function ordered(
  bundle: Bundle,
  layer: number,
  { token, step, order }: { token: number | null; step: number; order: Order },
): number[] {
  const own = bundle.manifest.layers[layer];
  if (!own) return [];
  const units = Array.from({ length: own.count }, (_, k) => own.first + k).filter(
    (unit) => token === null || preferredToken(bundle, unit, step) === token,
  );
  if (order === "index") return units;
  const last = bundle.manifest.steps.length - 1;
  const onset = bundle.array("unit_onset_by");
  const key = (unit: number): number =>
    order === "onset" ? (onset?.at(unit) ?? Number.NaN) : -tokenSignal(bundle, unit, last).value;
  const keys = new Map(units.map((unit) => [unit, key(unit)]));
  const place = (unit: number) => {
    const value = keys.get(unit) ?? Number.NaN;
    return Number.isNaN(value) ? Infinity : value;
  };
  return units.sort((a, b) => place(a) - place(b) || a - b);
}

/** Rows of a grid that are to be drawn: those in sight, and one more above and below. */
export function inSight(
  scroll: number,
  height: number,
  row: number,
  nRows: number,
): { from: number; to: number } {
  const from = Math.max(0, Math.floor(scroll / row) - 1);
  return { from, to: Math.min(nRows, Math.ceil((scroll + height) / row) + 1) };
}
