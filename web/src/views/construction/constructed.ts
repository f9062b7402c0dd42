/** Which units are drawn where gains are known: the most constructed, and what they are built from. */
import type { Bundle } from "../../data/bundle";
import { edgesOf, type Links } from "../../data/couplings";
import { COMBINES, gainOf, observedAt, observedSteps, SELECTS } from "../../data/gains";

/** Least units that a layer shows, so that no column is empty where nothing is constructed. */
const LEAST = 3;
const READING = { weights: "gain", token: null } as const;

/** Above 0 where a unit is constructed: beyond what chance gives the layer's best comes first. */
export function scoreAt(bundle: Bundle, unit: number, step: number): number {
  const own = gainOf(bundle, unit, step);
  if (!own || own.kind < SELECTS || !(own.gain > 0)) return 0;
  // a gain is at most 1, so that whole numbers keep the classes apart
  return own.gain + (own.kind === COMBINES ? 1 : 0) + (own.gain > own.bound ? 2 : 0);
}

/** The same summed over the whole film, so that a layer's choice does not depend on the step. */
function scoreOverall(bundle: Bundle, unit: number): number {
  const { steps } = bundle.manifest;
  return observedSteps(bundle, "gain_step").reduce((sum, at) => {
    const own = gainOf(bundle, unit, steps.indexOf(at));
    return sum + (own && own.kind >= SELECTS ? Math.max(0, own.gain) : 0);
  }, 0);
}

/**
 * For each layer the units drawn: half of them the most constructed ones, then the parents of those
 * chosen above, then more constructed ones. With a layer: that layer's constructed units, the
 * parents that they lead back to, and what is built on them.
 */
export function chooseConstructed(
  bundle: Bundle,
  links: Links,
  most: number,
  layer: number | null = null,
): number[][] {
  const last = bundle.manifest.steps.length - 1;
  const { layers } = bundle.units;
  const score = (unit: number): number =>
    layer === null ? scoreAt(bundle, unit, last) : scoreOverall(bundle, unit);
  const pick = (k: number, given: Sizes, share: number): number[] => {
    const { first = 0, count = 0 } = layers[k] ?? {};
    const all = Array.from({ length: count }, (_, c) => first + c);
    return count <= most ? all : choose(all, { score, given, share, most });
  };
  const top = layer ?? layers.length - 1;
  const chosen: number[][] = layers.map(() => []);
  chosen[top] = pick(top, new Map(), 1);
  // with a layer, the others show what belongs to it alone
  const share = layer === null ? 0.5 : 0;
  for (let k = top - 1; k >= 0; k--) {
    chosen[k] = pick(k, through(links, chosen[k + 1] ?? [], "down"), share);
  }
  for (let k = top + 1; k < layers.length; k++) {
    chosen[k] = pick(k, through(links, chosen[k - 1] ?? [], "up"), 0);
  }
  return chosen;
}

type Sizes = Map<number, number>;

interface Choice {
  score(unit: number): number;
  /** What units give to those chosen above, or gain from those below. */
  given: Sizes;
  /** Share of the places that go to the highest scores. */
  share: number;
  most: number;
}

/** The units of one layer: so many of the highest score, then those that give most. */
function choose(all: readonly number[], { score, given, share, most }: Choice): number[] {
  const ranked = (size: Sizes) =>
    [...size].filter(([, value]) => value > 0).sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const own = ranked(new Map(all.map((unit) => [unit, score(unit)])));
  const found = new Set(own.slice(0, Math.ceil(most * share)).map(([unit]) => unit));
  for (const [unit] of [...ranked(given), ...(share > 0 ? own : [])]) {
    if (found.size < most) found.add(unit);
  }
  for (const unit of all) if (found.size < Math.min(LEAST, most)) found.add(unit);
  return [...found].sort((a, b) => a - b);
}

/** What units gain through each parent, or give to each child, summed over them. */
function through(links: Links, units: readonly number[], direction: "down" | "up"): Sizes {
  const sizes: Sizes = new Map();
  const [lists, ends] =
    direction === "down" ? [links.into, links.source] : [links.outOf, links.target];
  for (const unit of units) {
    for (const edge of edgesOf(lists, unit)) {
      if (links.standing?.(edge, links.nSteps - 1) === "within") continue;
      const gain = links.weight(edge, links.nSteps - 1, READING);
      const other = ends[edge] ?? -1;
      if (gain > 0) sizes.set(other, (sizes.get(other) ?? 0) + gain);
    }
  }
  return sizes;
}

/** How many units a layer has that are constructed at a step, of how many. */
export function countConstructed(bundle: Bundle, step: number): number {
  const place = observedAt(bundle, "gain_step", step);
  const kind = bundle.array("gain_kind");
  if (place === null || !kind) return 0;
  let count = 0;
  for (let unit = 0; unit < bundle.units.count; unit++) {
    if (kind.at(place, unit) >= SELECTS) count++;
  }
  return count;
}
