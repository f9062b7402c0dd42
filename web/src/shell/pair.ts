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
  Number.isFinite(high)
    ? `${Number.isFinite(low) ? show(low, 0) : "the start"} … ${show(high, 0)}`
    : "";

/** Share of a token's exemplars that may be called the other token where they count as told apart. */
const RARELY = 0.1;

/** From which recorded step on few exemplars of either token are called the other one. */
export function unconfused(bundle: Bundle, a: number, b: number): { after: number; by: number } {
  const { steps } = bundle.manifest;
  const confusion = bundle.shown("confusion");
  let last = -1;
  steps.forEach((_, k) => {
    const most = confusion ? Math.max(confusion.at(k, a, b), confusion.at(k, b, a)) : 1;
    // A network that gives all exemplars one name confuses neither with the other: it knows none.
    const least = confusion ? Math.min(confusion.at(k, a, a), confusion.at(k, b, b)) : 0;
    if (!(most <= RARELY && least > most)) last = k;
  });
  return {
    after: steps[last] ?? Number.NEGATIVE_INFINITY,
    by: steps[last + 1] ?? Number.POSITIVE_INFINITY,
  };
}

/**
 * The two tokens that are taken for each other most at the last step; where none are, those that
 * lie closest in the last hidden layer; the outer ones if that is unknown.
 */
export function hardest(bundle: Bundle): [number, number] {
  const { tokens, steps, layers } = bundle.manifest;
  const [last, hidden] = [steps.length - 1, layers.length - 2];
  const confusion = bundle.shown("confusion");
  const distance = bundle.shown("crossnobis");
  const layer = bundle.layersAll().indexOf(layers[hidden]?.name ?? "");
  const called = (a: number, b: number) =>
    confusion ? confusion.at(last, a, b) + confusion.at(last, b, a) : 0;
  const near = (a: number, b: number) =>
    distance && layer >= 0 ? -distance.at(last, layer, a, b) : 0;
  let best: [number, number] = [Math.max(0, tokens.length - 1), 0];
  for (let a = 0; a < tokens.length; a++) {
    for (let b = 0; b < a; b++) {
      const more = called(a, b) - called(...best) || near(a, b) - near(...best);
      if (more > 0) best = [a, b];
    }
  }
  return best;
}

/**
 * Units whose mean responses to two tokens lie farthest apart at a step, largest difference first:
 * those that come to discriminate tokens beyond chance, or, unsurely, all where none does.
 */
export function tellers(bundle: Bundle, a: number, b: number, step: number, count: number) {
  const onset = bundle.array("unit_onset_by");
  const response = bundle.shown("token_response");
  const last = bundle.manifest.layers.at(-1);
  if (!response || !last) return [];
  const found: { unit: number; difference: number; isSure: boolean }[] = [];
  for (let unit = 0; unit < last.first; unit++) {
    const difference = response.at(step, unit, a) - response.at(step, unit, b);
    const signal = tokenSignal(bundle, unit, step);
    if (Number.isNaN(difference) || signal.value <= signal.null) continue;
    found.push({ unit, difference, isSure: !onset || Number.isFinite(onset.at(unit)) });
  }
  const sure = found.filter((one) => one.isSure);
  return (sure.length > 0 ? sure : found)
    .sort((x, y) => Math.abs(y.difference) - Math.abs(x.difference))
    .slice(0, count);
}
