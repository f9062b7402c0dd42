/** Where units are drawn: chosen once from the whole film, so that a node never jumps. */
import { PIXEL, type Units } from "../../data/units";
import type { Links } from "../../data/couplings";

export interface Node {
  unit: number;
  column: number;
  /** Place in its column, 0 ... 1 from the top; below 1 come those that a selection brought in. */
  x: number;
  y: number;
  size: number;
  isGuest: boolean;
}

export interface Layout {
  nodes: Node[];
  byUnit: Map<number, Node>;
  columns: { name: string; x: number; shown: number; all: number }[];
  width: number;
  height: number;
  /** Where the band of those that a selection brought in begins; null if there are none. */
  guestsFrom: number | null;
}

/** Order each layer's units by the mean place of what they are coupled to, sweeping to and fro. */
export function order(links: Links, shown: readonly (readonly number[])[], sweeps = 6): number[][] {
  const columns = shown.map((layer) => [...layer]);
  const between = weightedLinks(links, new Set(shown.flat()));
  const place = new Map<number, number>();
  const number = (column: readonly number[]) =>
    column.forEach((unit, k) => place.set(unit, (k + 0.5) / column.length));
  columns.forEach(number);
  const sort = (column: number[], along: Map<number, [number, number][]>) => {
    const mean = (unit: number) => {
      let [sum, mass] = [0, 0];
      for (const [other, weight] of along.get(unit) ?? []) {
        sum += (place.get(other) ?? 0.5) * weight;
        mass += weight;
      }
      return mass > 0 ? sum / mass : (place.get(unit) ?? 0.5);
    };
    const key = new Map(column.map((unit) => [unit, mean(unit)]));
    column.sort((a, b) => (key.get(a) ?? 0) - (key.get(b) ?? 0) || a - b);
    number(column);
  };
  for (let sweep = 0; sweep < sweeps; sweep++) {
    // down and up in turns, as in drawing layered graphs: each pass takes the other's order
    // as given
    for (let k = columns.length - 2; k >= 0; k--) sort(columns[k] ?? [], between.up);
    for (let k = 1; k < columns.length - 1; k++) sort(columns[k] ?? [], between.down);
  }
  return columns;
}

function weightedLinks(links: Links, shown: ReadonlySet<number>) {
  const up = new Map<number, [number, number][]>();
  const down = new Map<number, [number, number][]>();
  const add = (map: Map<number, [number, number][]>, a: number, b: number, weight: number) => {
    const list = map.get(a);
    if (list) list.push([b, weight]);
    else map.set(a, [[b, weight]]);
  };
  for (let edge = 0; edge < links.count; edge++) {
    const [source, target] = [links.source[edge] ?? PIXEL, links.target[edge] ?? 0];
    if (!shown.has(source) || !shown.has(target)) continue;
    const weight = links.overall(edge);
    add(up, source, target, weight);
    add(down, target, source, weight);
  }
  return { up, down };
}

export interface Room {
  width: number;
  height: number;
}

const MARGIN = { left: 46, right: 104, top: 36, bottom: 12 };
const LARGEST = 46;
/** Share of the height that each row of units brought in by a selection takes. */
const GUESTS = 0.066;
const SLOTS = 3;

/** Places of the pixels' channels, of the units shown, and of guests below them. */
export function layout(
  ordered: readonly (readonly number[])[],
  guests: readonly number[],
  units: Units,
  nChannels: number,
  room: Room,
): Layout {
  const pixels = Array.from({ length: nChannels }, (_, k) => PIXEL - k);
  const columns = [pixels, ...ordered];
  const inner = room.width - MARGIN.left - MARGIN.right;
  const x = (column: number) => MARGIN.left + (inner * column) / Math.max(1, columns.length - 1);
  const band = bandOf(guests, units) * room.height;
  const bottom = room.height - band - MARGIN.bottom;
  // without the last column: tokens are few and would make every other column's units large
  const most = Math.max(1, ...ordered.slice(0, -1).map((column) => column.length));
  const pitch = (bottom - MARGIN.top) / most;
  const size = Math.max(10, Math.min(LARGEST, pitch * 0.86, (inner / columns.length) * 0.6));
  const nodes: Node[] = [];
  columns.forEach((column, k) => {
    // sparse columns are not stretched over the whole height: their units would seem unrelated
    const step = Math.min((bottom - MARGIN.top) / column.length, pitch * 2.4);
    const top = (MARGIN.top + bottom - step * column.length) / 2;
    column.forEach((unit, row) =>
      nodes.push({ unit, column: k, x: x(k), y: top + step * (row + 0.5), size, isGuest: false }),
    );
  });
  nodes.push(...placeGuests(guests, units, x, { top: bottom, room: band, size }));
  return {
    nodes,
    byUnit: new Map(nodes.map((node) => [node.unit, node])),
    columns: columns.map((column, k) => ({
      name: k === 0 ? "pixels" : (units.layers[k - 1]?.name ?? ""),
      x: x(k),
      shown: column.length,
      all: k === 0 ? nChannels : (units.layers[k - 1]?.count ?? 0),
    })),
    width: room.width,
    height: room.height,
    guestsFrom: guests.length > 0 ? bottom + MARGIN.bottom * 0.5 : null,
  };
}

/** How many guests each column has. */
function columnsOf(guests: readonly number[], units: Units): Map<number, number> {
  const filled = new Map<number, number>();
  for (const unit of guests) {
    filled.set(units.layer(unit), (filled.get(units.layer(unit)) ?? 0) + 1);
  }
  return filled;
}

const bandOf = (guests: readonly number[], units: Units): number =>
  guests.length === 0 ? 0 : 0.04 + GUESTS * Math.max(...columnsOf(guests, units).values());

function placeGuests(
  guests: readonly number[],
  units: Units,
  x: (column: number) => number,
  { top, room, size }: { top: number; room: number; size: number },
): Node[] {
  const filled = new Map<number, number>();
  const rows = Math.max(1, ...columnsOf(guests, units).values());
  const small = Math.min(size, ((room - MARGIN.bottom) / rows) * 0.88);
  return guests.map((unit) => {
    const column = units.layer(unit) + 1;
    const row = filled.get(column) ?? 0;
    filled.set(column, row + 1);
    const y = top + MARGIN.bottom * 1.6 + small * 0.6 + row * small * 1.12;
    return { unit, column, x: x(column), y, size: small, isGuest: true };
  });
}

export const GUESTS_PER_COLUMN = SLOTS;

/** The same nodes on their way from where they were: share 0 is the old place, 1 the new one. */
export function onTheWay(from: Layout | null, to: Layout, share: number): Layout {
  if (!from || share >= 1) return to;
  const nodes = to.nodes.map((node) => {
    const old = from.byUnit.get(node.unit);
    if (!old) return node;
    const mix = (a: number, b: number) => a + (b - a) * share;
    return {
      ...node,
      x: mix(old.x, node.x),
      y: mix(old.y, node.y),
      size: mix(old.size, node.size),
    };
  });
  return { ...to, nodes, byUnit: new Map(nodes.map((node) => [node.unit, node])) };
}
