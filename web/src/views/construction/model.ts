/** The construction view's picture for a bundle and a selection: who is drawn, where, how lit. */
import type { Bundle } from "../../data/bundle";
import { endsOf, type State } from "../../state/state";
import { lineage, type Ancestry } from "./ancestry";
import { couplingsOf, typicalSize, type Couplings, type Reading } from "../../data/couplings";
import { assemblyAt } from "../../data/assemblies";
import { together } from "./groups";
import { GUESTS_PER_COLUMN, layout, order, type Layout, type Room } from "./layout";
import { scene, type Scene } from "./scene";
import { chooseUnits, flows } from "./shown";

export interface Model {
  couplings: Couplings;
  layout: Layout;
  scene: Scene;
  focus: Ancestry | null;
  reading: Reading;
}

export type Asked = Pick<State, "unit" | "token" | "weights"> & { edge?: number | null };

export interface Amount {
  perLayer: number;
  perGap: number;
  /** Whether units of one assembly lie together. */
  isGrouped?: boolean;
}

const orders = new WeakMap<Couplings, Map<string, number[][]>>();

function orderOf(
  bundle: Bundle,
  couplings: Couplings,
  { perLayer, isGrouped = false }: Amount,
): number[][] {
  // order and choice are those of the whole film: a unit that moved with the steps could not
  // be followed
  let own = orders.get(couplings);
  if (!own) orders.set(couplings, (own = new Map()));
  const key = `${perLayer} ${isGrouped}`;
  const known = own.get(key);
  if (known) return known;
  const all = flows(couplings, bundle.units, bundle.manifest.tokens.length);
  const last = bundle.manifest.steps.length - 1;
  const free = order(couplings, chooseUnits(all, bundle.units, perLayer));
  const made = isGrouped
    ? [...together(free.slice(0, -1), (unit) => assemblyAt(bundle, unit, last)), free.at(-1) ?? []]
    : free;
  own.set(key, made);
  return made;
}

/** Everything that does not depend on the step; null while the couplings are not there. */
export function model(bundle: Bundle, asked: Asked, amount: Amount, room: Room): Model | null {
  const couplings = couplingsOf(bundle);
  if (!couplings) return null;
  const reading: Reading = { weights: asked.weights, token: asked.token };
  const ordered = orderOf(bundle, couplings, amount);
  const focus = focusOf(bundle, couplings, asked, reading);
  const shown = new Set(ordered.flat());
  const nChannels = bundle.manifest.run.image[2] ?? 3;
  const placed = layout(
    ordered,
    guestsOf(bundle, focus, shown, asked),
    bundle.units,
    nChannels,
    room,
  );
  const nulls = bundle.array(asked.token === null ? "coupling_null" : "contrast_null");
  return {
    couplings,
    layout: placed,
    scene: scene(couplings, placed, bundle.units, reading, nulls, amount.perGap),
    focus,
    reading,
  };
}

function focusOf(
  bundle: Bundle,
  couplings: Couplings,
  { unit, token }: Asked,
  reading: Reading,
): Ancestry | null {
  const last = bundle.manifest.layers.at(-1);
  const chosen = unit ?? (token !== null && last ? last.first + token : null);
  if (chosen === null) return null;
  const size = (edge: number) => typicalSize(couplings, edge, reading);
  return lineage(couplings, bundle.units, chosen, size);
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
