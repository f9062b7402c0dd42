/** Small questions about a unit at a step, each answered from one array of the bundle. */
import type { Bundle } from "./bundle";

/** Token that a unit answers to most; null where there is none (the logits are their tokens'). */
export function preferredToken(bundle: Bundle, unit: number, step: number): number | null {
  const last = bundle.manifest.layers.at(-1);
  if (last && unit >= last.first && last.kind === "logits") {
    return unit - last.first < bundle.manifest.tokens.length ? unit - last.first : null;
  }
  const known = bundle.array("preferred_token");
  if (!known) return sketchedToken(bundle, unit, step);
  const token = known.at(step, unit);
  return token >= 0 ? token : null;
}

/** Token of a unit's largest response in the sketch; null where it responds to none more. */
function sketchedToken(bundle: Bundle, unit: number, step: number): number | null {
  const response = bundle.array("sketch_response");
  if (!response) return null;
  const values = bundle.manifest.tokens.map((_, token) => response.at(step, unit, token));
  const most = Math.max(...values);
  return most > 0 ? values.indexOf(most) : null;
}

export interface Signal {
  value: number;
  /** What shuffled tokens give; NaN where not known. */
  null: number;
}

/** Share of a unit's variance between tokens, and its null. */
export function tokenSignal(bundle: Bundle, unit: number, step: number): Signal {
  const value = bundle.array("token_signal")?.at(step, unit) ?? Number.NaN;
  const own = bundle.array("token_signal_upper")?.at(step, unit);
  const ofLayer = bundle.array("token_signal_null");
  return { value, null: own ?? ofLayer?.at(step, bundle.units.layer(unit)) ?? Number.NaN };
}

/** Whether a unit tells tokens apart beyond its null; null where that is not known. */
export function isBeyond(bundle: Bundle, unit: number, step: number): boolean | null {
  const signal = tokenSignal(bundle, unit, step);
  return Number.isNaN(signal.value) || Number.isNaN(signal.null)
    ? null
    : signal.value > signal.null;
}

/** Whether nothing in the probe excites the unit (a rectified unit that is never above 0). */
export function isDead(bundle: Bundle, unit: number, step: number): boolean {
  const last = bundle.manifest.layers.at(-1);
  if (last && unit >= last.first) return false;
  return bundle.array("unit_maximum")?.at(step, unit) === 0;
}

/** Spreads that two tokens' centres have to lie apart to count as separated (as in Python). */
const APART = 1;

/**
 * Whether the closest two tokens of a layer are surely separated at a step: the lower end of their
 * interval has to pass. Reports and observations hold a layer to the same rule.
 */
export function isSurelyApart(bundle: Bundle, layer: number, step: number): boolean {
  const low = bundle.array("separation_low");
  return low === null || low.at(step, layer) > APART;
}

/** Where an onset lies, by the name of its layer or token. */
export interface Onset {
  name: string;
  kind: string;
  after: number;
  by: number;
  low: number;
  high: number;
}

export function onsets(bundle: Bundle): Onset[] {
  const [after, by] = [bundle.array("onset_after"), bundle.array("onset_by")];
  const kinds = bundle.coordinate("onset_kind");
  if (!after || !by) return [];
  return bundle.coordinate("onset").map((name, k) => ({
    name: String(name),
    kind: String(kinds[k] ?? ""),
    after: after.at(k),
    by: by.at(k),
    low: bundle.array("onset_confidence_after")?.at(k) ?? Number.NaN,
    high: bundle.array("onset_confidence_by")?.at(k) ?? Number.NaN,
  }));
}

/** Largest p value at which phases count as found. */
const SURE = 0.05;

/** Whether the run has phases beyond their null; without a test it has none to speak of. */
export const hasPhases = (bundle: Bundle): boolean =>
  (bundle.array("phase_p")?.flat(0) ?? Number.NaN) <= SURE;
