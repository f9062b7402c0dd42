/** Where exemplars lie on the map of a layer, at any position of the film. */
import type { Bundle } from "../../data/bundle";
import type { ArrayName } from "../../data/names";
import type { Field } from "../../data/field";
import { positionOf } from "../../state/state";

export interface Places {
  field: Field;
  count: number;
  /** Steps at which there is a map. */
  steps: readonly number[];
  /** Index on the map's axis of layers, of a layer among all; -1 where it has no map. */
  layer(layer: number): number;
}

export function placesOf(bundle: Bundle, name: ArrayName = "map"): Places | null {
  const field = bundle.shown(name);
  if (!field || field.dims.length !== 4) return null;
  const [along = ""] = field.dims;
  const own = along === "step" ? [] : bundle.coordinate(along).map(Number);
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

/** A layer's places at every step of the maps, [step x exemplar x 2], in a frame from 0 to 1. */
interface Track {
  frame: Frame;
  values: Float32Array;
}

const tracks = new WeakMap<Field, Map<number, Track>>();

function trackOf(places: Places, layer: number): Track {
  let own = tracks.get(places.field);
  if (!own) tracks.set(places.field, (own = new Map()));
  const known = own.get(layer);
  if (known) return known;
  const n = places.count * 2;
  const values = new Float32Array(places.steps.length * n);
  for (let k = 0; k < places.steps.length; k++) {
    for (let e = 0; e < places.count; e++) {
      values[k * n + 2 * e] = places.field.at(k, layer, e, 0);
      values[k * n + 2 * e + 1] = places.field.at(k, layer, e, 1);
    }
  }
  const frame = frameOf(values);
  for (let i = 0; i < values.length; i++) {
    const middle = i % 2 === 0 ? frame.x : frame.y;
    // scaled once for all steps, so that a frame of the film is one interpolation per exemplar
    values[i] = (((values[i] ?? 0) - middle) / frame.half + 1) / 2;
  }
  const made = { frame, values };
  own.set(layer, made);
  return made;
}

/** The square that holds nearly all places at every step, so that axes never move. */
export function frameOf(values: Float32Array): Frame {
  const along = (axis: number) =>
    ends(Array.from(values).filter((v, i) => i % 2 === axis && !Number.isNaN(v)));
  const [left, right] = along(0);
  const [top, bottom] = along(1);
  const half = (Math.max(right - left, bottom - top, 1e-9) / 2) * 1.06;
  return { x: (left + right) / 2, y: (top + bottom) / 2, half };
}

/** The smallest and largest value, but for a few that lie far beyond nearly all others. */
export function ends(values: number[]): [number, number] {
  const sorted = values.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  // a stray exemplar at one step must not shrink the map at all others
  const [low, high] = [at(0.004), at(0.996)];
  const spare = 0.15 * (high - low);
  return [Math.max(at(0), low - spare), Math.min(at(1), high + spare)];
}

export interface Spot {
  exemplar: number;
  x: number;
  y: number;
}

/** Places of all exemplars in a square of so many pixels; who has none is left out. */
export function spots(places: Places, layer: number, position: number, side: number): Spot[] {
  const { values } = trackOf(places, layer);
  const n = places.count * 2;
  const k = Math.max(0, Math.min(places.steps.length - 1, Math.floor(position)));
  // at a recorded step the next one is not asked: it may have no place where this one has
  const next = position === k ? k : Math.min(places.steps.length - 1, k + 1);
  const share = position - k;
  const found: Spot[] = [];
  for (let exemplar = 0; exemplar < places.count; exemplar++) {
    const [a, b] = [k * n + 2 * exemplar, next * n + 2 * exemplar];
    const x = (values[a] ?? 0) + share * ((values[b] ?? 0) - (values[a] ?? 0));
    const y = (values[a + 1] ?? 0) + share * ((values[b + 1] ?? 0) - (values[a + 1] ?? 0));
    if (!Number.isNaN(x + y)) found.push({ exemplar, x: x * side, y: y * side });
  }
  return found;
}
