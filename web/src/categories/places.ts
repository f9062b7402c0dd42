/** Where exemplars lie on the map of a layer, at any position of the film. */
import type { Bundle } from "../data/bundle";
import type { Field } from "../data/field";
import { positionOf } from "../state/state";

export interface Places {
  field: Field;
  count: number;
  /** Steps at which there is a map. */
  steps: readonly number[];
  /** Index on the map's axis of layers, of a layer among all; -1 where it has no map. */
  layer(layer: number): number;
}

export function placesOf(bundle: Bundle, name = "map"): Places | null {
  const field = bundle.array(name);
  if (!field || field.dims.length !== 4) return null;
  const own = field.dims[0] === "map_step" ? bundle.coordinate("map_step").map(Number) : [];
  const named = bundle.coordinate(field.dims[1] ?? "").map(String);
  const all = bundle.layersAll();
  return {
    field,
    count: field.shape[2] ?? 0,
    steps: own.length > 0 ? own : bundle.manifest.steps,
    layer: (layer) => (named.length > 0 ? named.indexOf(all[layer] ?? "") : layer),
  };
}

/** Position among the map's own steps of a training step. */
export const mapPosition = (places: Places, step: number): number => positionOf(step, places.steps);

export interface Frame {
  x: number;
  y: number;
  half: number;
}

const frames = new WeakMap<Field, Map<number, Frame>>();

/** The square that holds nearly all exemplars of a layer at every step, so that axes never move. */
export function frameOf(places: Places, layer: number): Frame {
  let own = frames.get(places.field);
  if (!own) frames.set(places.field, (own = new Map()));
  const known = own.get(layer);
  if (known) return known;
  const [xs, ys]: number[][] = [[], []];
  for (let k = 0; k < places.steps.length; k++) {
    for (let e = 0; e < places.count; e++) {
      const [x, y] = [places.field.at(k, layer, e, 0), places.field.at(k, layer, e, 1)];
      if (Number.isNaN(x + y)) continue;
      xs?.push(x);
      ys?.push(y);
    }
  }
  const [left, right] = ends(xs ?? []);
  const [top, bottom] = ends(ys ?? []);
  const half = Math.max(right - left, bottom - top, 1e-9) / 2;
  const made = { x: (left + right) / 2, y: (top + bottom) / 2, half: half * 1.06 };
  own.set(layer, made);
  return made;
}

/** The smallest and largest of nearly all values. */
export function ends(values: number[]): [number, number] {
  const sorted = values.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  return [at(0.004), at(0.996)];
}

export interface Spot {
  exemplar: number;
  x: number;
  y: number;
}

/** Places of all exemplars in a square of so many pixels. */
export function spots(places: Places, layer: number, position: number, side: number): Spot[] {
  const { x, y, half } = frameOf(places, layer);
  const found: Spot[] = [];
  for (let exemplar = 0; exemplar < places.count; exemplar++) {
    const px = places.field.between(position, layer, exemplar, 0);
    const py = places.field.between(position, layer, exemplar, 1);
    if (Number.isNaN(px + py)) continue;
    found.push({
      exemplar,
      x: ((px - x) / half + 1) * 0.5 * side,
      y: ((py - y) / half + 1) * 0.5 * side,
    });
  }
  return found;
}
