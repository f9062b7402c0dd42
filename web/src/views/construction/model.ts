/** The construction view's picture for a bundle and a selection: who is drawn, where, how lit. */
import type { Bundle } from "../../data/bundle";
import { endsOf, type State } from "../../state/state";
import { lineage, type Ancestry } from "./ancestry";
import { couplingsOf, typicalSize, type Links, type Reading } from "../../data/couplings";
import { isByGain, linksOf, readingOf } from "../../data/gains";
import { assemblyAt } from "../../data/assemblies";
import { chooseConstructed } from "./constructed";
import { together } from "./groups";
import { GUESTS_PER_COLUMN, layout, order, type Layout, type Room } from "./layout";
import { scene, type Scene } from "./scene";
import { chooseUnits, flows } from "./shown";

export interface Model {
  links: Links;
  layout: Layout;
  scene: Scene;
  focus: Ancestry | null;
  reading: Reading;
}

export type Asked = Pick<State, "unit" | "token" | "weights"> & {
  edge?: number | null;
  layer?: number | null;
};

export interface Amount {
  perLayer: number;
  perGap: number;
  /** Whether units of one assembly lie together. */
  isGrouped?: boolean;
}

const orders = new WeakMap<Links, Map<string, number[][]>>();

function orderOf(
  bundle: Bundle,
  links: Links,
  { perLayer, isGrouped = false }: Amount,
  choice: { isByGain: boolean; layer: number | null },
): number[][] {
  // order and choice are those of the whole film: a unit that moved with the steps could not
  // be followed
  let own = orders.get(links);
  if (!own) orders.set(links, (own = new Map()));
  const key = `${perLayer} ${isGrouped} ${choice.isByGain} ${choice.layer}`;
  const known = own.get(key);
  if (known) return known;
  const last = bundle.manifest.steps.length - 1;
  const chosen = choice.isByGain
    ? chooseConstructed(bundle, links, perLayer, choice.layer)
    : chosenByFlow(bundle, perLayer);
  const free = order(links, chosen);
  const made = isGrouped
    ? [...together(free.slice(0, -1), (unit) => assemblyAt(bundle, unit, last)), free.at(-1) ?? []]
    : free;
  own.set(key, made);
  return made;
}

function chosenByFlow(bundle: Bundle, perLayer: number): number[][] {
  const couplings = couplingsOf(bundle);
  if (!couplings) return [];
  const all = flows(couplings, bundle.units, bundle.manifest.tokens.length);
  return chooseUnits(all, bundle.units, perLayer);
}

/** Everything that does not depend on the step; null while the edges are not there. */
export function model(bundle: Bundle, asked: Asked, amount: Amount, room: Room): Model | null {
  const reading = readingOf(bundle, asked);
  const links = linksOf(bundle, reading);
  if (!links) return null;
  // layers of a selection have the image itself in front
  const layer = (asked.layer ?? 0) > 0 ? (asked.layer ?? 0) - 1 : null;
  const ordered = orderOf(bundle, links, amount, { isByGain: isByGain(reading), layer });
  const focus = focusOf(bundle, links, asked, reading);
  const shown = new Set(ordered.flat());
  const nChannels = bundle.manifest.run.image[2] ?? 3;
  const placed = layout(
    ordered,
    guestsOf(bundle, focus, shown, asked),
    bundle.units,
    nChannels,
    room,
  );
  const nulls = isByGain(reading)
    ? null
    : bundle.array(asked.token === null ? "coupling_null" : "contrast_null");
  return {
    links,
    layout: placed,
    scene: scene(links, placed, bundle.units, reading, nulls, amount.perGap),
    focus,
    reading,
  };
}

function focusOf(
  bundle: Bundle,
  links: Links,
  { unit, token }: Asked,
  reading: Reading,
): Ancestry | null {
  const last = bundle.manifest.layers.at(-1);
  const chosen = unit ?? (token !== null && last ? last.first + token : null);
  if (chosen === null) return null;
  const size = (edge: number) =>
    isByGain(reading) ? gained(links, edge) : typicalSize(links, edge, reading);
  return lineage(links, bundle.units, chosen, size);
}

/** Share at which a gain counts that parents of like amplitude reach. */
const WITHIN = 0.1;

/** The gain that an edge is followed by: as last observed, first where others do not reach it. */
function gained(links: Links, edge: number): number {
  const last = links.nSteps - 1;
  const gain = Math.max(0, links.weight(edge, last, { weights: "gain", token: null })) || 0;
  return links.standing?.(edge, last) === "within" ? gain * WITHIN : gain;
}

function guestsOf(
  bundle: Bundle,
  focus: Ancestry | null,
  shown: ReadonlySet<number>,
  { unit, edge = null }: Asked,
): number[] {
  const found: number[] = [];
  const filled = new Map<number, number>();
  const wanted = [...(focus?.units ?? [])].sort((a, b) => b[1] - a[1]).map(([one]) => one);
  // in front of the ancestry: what was clicked must be there even where rooms are few
  if (edge !== null) wanted.unshift(...endsOf(edge));
  if (unit !== null) wanted.unshift(unit);
  for (const one of new Set(wanted)) {
    const layer = bundle.units.layer(one);
    const count = filled.get(layer) ?? 0;
    if (layer < 0 || shown.has(one) || count >= GUESTS_PER_COLUMN) continue;
    filled.set(layer, count + 1);
    found.push(one);
  }
  return found;
}
