/** When two tokens were first kept apart, by layer, and which detectors do it. */
import type { Bundle } from "../data/bundle";
import { tokenSignal } from "../data/facts";
import { show } from "../draw/canvas";

export interface Apart {
  layer: string;
  after: number;
  by: number;
  /** The confidence interval in steps; empty where there is none. */
  confidence: string;
}

/** Onset of the distance between two tokens in each layer; layers where it never came are left out. */
export function apart(bundle: Bundle, a: number, b: number): Apart[] {
  const [after, by] = [bundle.array("apart_after"), bundle.array("apart_by")];
  if (!after || !by) return [];
  return bundle
    .layersAll()
    .map((layer, k) => ({
      layer,
      after: after.at(k, a, b),
      by: by.at(k, a, b),
      confidence: span(
        bundle.array("apart_confidence_after")?.at(k, a, b),
        bundle.array("apart_confidence_by")?.at(k, a, b),
      ),
    }))
    .filter((one) => Number.isFinite(one.by));
}

const span = (low = Number.NaN, high = Number.NaN): string =>
  Number.isFinite(high) ? `${show(low, 0)} … ${show(high, 0)}` : "";

/** The two tokens that are taken for each other most at the last step; the outer ones if unknown. */
export function hardest(bundle: Bundle): [number, number] {
  const { tokens, steps } = bundle.manifest;
  const confusion = bundle.shown("confusion");
  let [best, most]: [[number, number], number] = [[Math.max(0, tokens.length - 1), 0], 0];
  for (let a = 0; confusion && a < tokens.length; a++) {
    for (let b = 0; b < a; b++) {
      const share = confusion.at(steps.length - 1, a, b) + confusion.at(steps.length - 1, b, a);
      if (share > most) [best, most] = [[a, b], share];
    }
  }
  return best;
}

/** Units whose mean answers to two tokens lie farthest apart at a step, best first. */
export function tellers(bundle: Bundle, a: number, b: number, step: number, count: number) {
  const response = bundle.shown("token_response");
  const last = bundle.manifest.layers.at(-1);
  if (!response || !last) return [];
  const found: { unit: number; difference: number }[] = [];
  for (let unit = 0; unit < last.first; unit++) {
    const difference = response.at(step, unit, a) - response.at(step, unit, b);
    const signal = tokenSignal(bundle, unit, step);
    if (Number.isNaN(difference) || signal.value <= signal.null) continue;
    found.push({ unit, difference });
  }
  return found.sort((x, y) => Math.abs(y.difference) - Math.abs(x.difference)).slice(0, count);
}
