/** Construction: what units have beyond their recombinations, and through which parents. */
import type { Bundle } from "./bundle";
import { couplingsOf, edgesBetween, type Links, type Reading, type Standing } from "./couplings";
import type { Field } from "./field";
import type { ArrayName } from "./names";

export const [INHERITS, SELECTS, COMBINES] = [0, 1, 2];
/** A parent is beyond those of like amplitude if none of these 19 reaches its gain. */
const LEVEL = 0.05 + 1e-6;

/** Dims of the steps at which recombinations, or edges, were observed. */
export type Observed = "gain_step" | "edge_step";

const places = new WeakMap<Bundle, Map<Observed, Int32Array>>();

/** Place of the last observed step at or before a recorded one; null if there is none. */
export function observedAt(bundle: Bundle, dim: Observed, step: number): number | null {
  let own = places.get(bundle);
  if (!own) places.set(bundle, (own = new Map()));
  let known = own.get(dim);
  if (!known) {
    const observed = bundle.coordinate(dim).map(Number);
    known = Int32Array.from(bundle.manifest.steps, (at) => observed.findLastIndex((s) => s <= at));
    own.set(dim, known);
  }
  const place = known[step] ?? -1;
  return place < 0 ? null : place;
}

/** The observed steps of a dim, as steps of training. */
export const observedSteps = (bundle: Bundle, dim: Observed): number[] =>
  bundle.coordinate(dim).map(Number);

/** Whether the run's construction was measured. */
export const hasGains = (bundle: Bundle): boolean =>
  bundle.manifest.arrays["gain"] !== undefined && bundle.coordinate("gain_step").length > 0;

export interface UnitGain {
  /** Step of training at which it was observed. */
  step: number;
  selectivity: number;
  inherited: number;
  gain: number;
  p: number;
  /** Gain that the best unit of the layer passes by chance in one of 20 layers. */
  bound: number;
  linear: number;
  rectified: number;
  /** Selectivity beyond the best parent, with its interval. */
  emergent: number;
  low: number;
  high: number;
  /** Channel of the best parent in the layer below; -1: none. */
  bestParent: number;
  /** INHERITS, SELECTS or COMBINES; -1: not known. */
  kind: number;
}

/** What a unit adds to what it is given, as last observed; null where that is not known. */
export function gainOf(bundle: Bundle, unit: number, step: number): UnitGain | null {
  const place = hasGains(bundle) ? observedAt(bundle, "gain_step", step) : null;
  if (place === null || bundle.units.isPixel(unit)) return null;
  const at = (name: ArrayName): number => bundle.array(name)?.at(place, unit) ?? Number.NaN;
  const kind = at("gain_kind");
  return {
    step: Number(bundle.coordinate("gain_step")[place]),
    selectivity: at("selectivity"),
    inherited: at("inherited"),
    gain: at("gain"),
    p: at("gain_p"),
    bound: bundle.array("gain_bound")?.at(place, bundle.units.layer(unit)) ?? Number.NaN,
    linear: at("gain_linear"),
    rectified: at("gain_rectified"),
    emergent: at("emergent"),
    low: at("emergent_low"),
    high: at("emergent_high"),
    bestParent: at("best_parent"),
    kind: Number.isNaN(kind) ? -1 : kind,
  };
}

/** What a unit does, from `gainOf` without the rest: asked of every node of every frame. */
export function kindAt(bundle: Bundle, unit: number, step: number): number {
  const place = observedAt(bundle, "gain_step", step);
  const kind = place === null ? undefined : bundle.array("gain_kind")?.at(place, unit);
  return kind === undefined || Number.isNaN(kind) ? -1 : kind;
}

/** Features that a unit gains most, with their gains. */
export function bestFeatures(bundle: Bundle, unit: number, step: number): [string, number][] {
  const [which, gain] = [bundle.array("best_feature"), bundle.array("best_feature_gain")];
  const place = observedAt(bundle, "gain_step", step);
  if (!which || place === null) return [];
  return Array.from({ length: which.size("feature_rank") }, (_, rank) => rank)
    .filter((rank) => which.at(place, unit, rank) >= 0)
    .map((rank) => [
      String(bundle.coordinate("feature")[which.at(place, unit, rank)] ?? ""),
      gain?.at(place, unit, rank) ?? Number.NaN,
    ]);
}

const kept = new WeakMap<Field, GainLinks>();

/** Edges by the gain through them. */
export interface GainLinks extends Links {
  readonly fields: { gain: Field; matched: Field | null; p: Field | null };
  standing(edge: number, step: number): Standing;
}

/** The edges that the page was given for their gains; null while they are on their way, or none. */
export function gainLinksOf(bundle: Bundle): GainLinks | null {
  const gain = bundle.array("edge_gain");
  const [source, target] = [bundle.array("gain_source"), bundle.array("gain_target")];
  if (!gain || !source || !target) return null;
  const known = kept.get(gain);
  if (known) return known;
  const p = bundle.array("edge_gain_p");
  const ends = edgesBetween(source, target, bundle.units.count);
  const at = (field: Field | null, edge: number, step: number): number => {
    const place = observedAt(bundle, "edge_step", step);
    return place === null ? Number.NaN : (field?.at(place, edge) ?? Number.NaN);
  };
  const nSteps = bundle.manifest.steps.length;
  const made: GainLinks = {
    ...ends,
    nSteps,
    fields: { gain, matched: bundle.array("edge_gain_matched"), p },
    weight: (edge, position) => at(gain, edge, Math.floor(position)),
    overall: (edge) => Math.abs(at(gain, edge, nSteps - 1)) || 0,
    standing: (edge, step) => {
      // a unit that adds nothing is not constructed out of anything
      if (kindAt(bundle, ends.target[edge] ?? -1, step) < SELECTS) return "within";
      if (!(at(gain, edge, step) > 0)) return "within";
      const share = at(p, edge, step);
      return Number.isNaN(share) ? "not held" : share <= LEVEL ? "beyond" : "within";
    },
  };
  kept.set(gain, made);
  return made;
}

/** By what edges are drawn, of what the run has. */
export function readingOf(bundle: Bundle, { weights, token }: Reading): Reading {
  const has = bundle.manifest.arrays["edge_gain"] !== undefined;
  return { weights: weights === "gain" && !has ? "total" : weights, token };
}

/** Whether edges are drawn by the gain through them: a token's contrast goes before it. */
export const isByGain = ({ weights, token }: Reading): boolean =>
  weights === "gain" && token === null;

/** The edges of a reading; null while they are on their way, or none. */
export const linksOf = (bundle: Bundle, reading: Reading): Links | null =>
  isByGain(reading) ? gainLinksOf(bundle) : couplingsOf(bundle);

/** Number and array of an edge's gain at a step, for those who tell of it. */
export function edgeGainOf(links: GainLinks, bundle: Bundle, edge: number, step: number) {
  const place = observedAt(bundle, "edge_step", step) ?? -1;
  const { gain, matched, p } = links.fields;
  return {
    step: Number(bundle.coordinate("edge_step")[place] ?? Number.NaN),
    gain: gain.at(place, edge),
    matched: matched?.at(place, edge) ?? Number.NaN,
    p: p?.at(place, edge) ?? Number.NaN,
  };
}
