/** The couplings the page was given, ready to be asked for at any position of the film. */
import type { Bundle } from "./bundle";
import type { Field } from "./field";

/**
 * By what edges are drawn: the gain through a parent, all variance, the part between tokens, or one
 * token's contrast.
 */
export type Weights = "gain" | "total" | "signal" | "contrast";

/** How an edge stands against what it is held against; not held: nothing to hold it against. */
export type Standing = "within" | "beyond" | "not held";

/** Edges between units that the page was given, each with a weight at every recorded step. */
export interface Links {
  readonly count: number;
  readonly source: Int32Array;
  readonly target: Int32Array;
  /** Edges into each unit: edges[first[unit]] up to edges[first[unit + 1]]. */
  readonly into: EdgeLists;
  readonly outOf: EdgeLists;
  /** Recorded steps. */
  readonly nSteps: number;
  /** The weight of an edge at a position; NaN where it is not known. */
  weight(edge: number, position: number, reading: Reading): number;
  /** One size for all readings and steps, by which units are ordered. */
  overall(edge: number): number;
  /** How an edge stands at a step, where each edge is held against others by itself. */
  standing?(edge: number, step: number): Standing;
}

export interface Couplings extends Links {
  readonly fields: { total: Field; signal: Field | null; contrast: Field | null };
}

export interface EdgeLists {
  readonly first: Int32Array;
  readonly edges: Int32Array;
}

/** Which weight an edge is drawn by: the token's contrast if there is a token, else as asked for. */
export interface Reading {
  weights: Weights;
  token: number | null;
}

const kept = new WeakMap<Field, Couplings>();

/** The couplings of a bundle; null while they are on their way or if there are none. */
export function couplingsOf(bundle: Bundle): Couplings | null {
  const total = bundle.array("coupling");
  const source = bundle.array("edge_source");
  const target = bundle.array("edge_target");
  if (!total || !source || !target) return null;
  const known = kept.get(total);
  if (known) return known;
  const fields = {
    total,
    signal: bundle.array("coupling_signal"),
    contrast: bundle.array("contrast"),
  };
  const made: Couplings = {
    ...edgesBetween(source, target, bundle.units.count),
    nSteps: total.size("step"),
    fields,
    weight: (edge, position, reading) => weightAt(made, edge, position, reading),
    overall: (edge) => overall(made, edge),
  };
  kept.set(total, made);
  return made;
}

/** Ends of edges, and the lists by either end. */
export function edgesBetween(source: Field, target: Field, nUnits: number) {
  const [from, to] = [Int32Array.from(source.values()), Int32Array.from(target.values())];
  return {
    count: from.length,
    source: from,
    target: to,
    into: listEdges(to, nUnits),
    outOf: listEdges(from, nUnits),
  };
}

/** All variance and every token's contrast together: one order has to serve all readings. */
function overall(couplings: Couplings, edge: number): number {
  let size = typicalSize(couplings, edge, { weights: "total", token: null });
  const nTokens = couplings.fields.contrast?.size("token") ?? 0;
  for (let token = 0; token < nTokens; token++) {
    size += typicalSize(couplings, edge, { weights: "contrast", token });
  }
  return size;
}

/** Sort edges by one of their ends, so that a unit's own are found at once. */
export function listEdges(ends: Int32Array, nUnits: number): EdgeLists {
  // counting sort: as many edges as there may be, one pass to count and one to place them
  const first = new Int32Array(nUnits + 1);
  for (const unit of ends) if (unit < nUnits) first[unit + 1] = (first[unit + 1] ?? 0) + 1;
  for (let unit = 0; unit < nUnits; unit++)
    first[unit + 1] = (first[unit + 1] ?? 0) + (first[unit] ?? 0);
  const next = first.slice();
  const edges = new Int32Array(first[nUnits] ?? 0);
  ends.forEach((unit, edge) => {
    if (unit >= nUnits) return;
    const place = next[unit] ?? 0;
    edges[place] = edge;
    next[unit] = place + 1;
  });
  return { first, edges };
}

export const edgesOf = (lists: EdgeLists, unit: number): Int32Array =>
  unit < 0 || unit + 1 >= lists.first.length
    ? new Int32Array(0)
    : lists.edges.subarray(lists.first[unit], lists.first[unit + 1]);

/** The weight of a coupling at a position; NaN where it is not known. */
export function weightAt(
  couplings: Couplings,
  edge: number,
  position: number,
  { weights, token }: Reading,
): number {
  const { total, signal, contrast } = couplings.fields;
  if (token !== null && contrast) return contrast.between(position, edge, token);
  return weights === "signal" && signal
    ? signal.between(position, edge)
    : total.between(position, edge);
}

/** Sizes of an edge's weight averaged over recorded steps, later ones counting more. */
export function typicalSize(links: Links, edge: number, reading: Reading): number {
  const n = links.nSteps;
  let [sum, mass] = [0, 0];
  // ten to twenty of the steps are enough for an order and a choice
  for (let k = 0; k < n; k += Math.max(1, Math.floor(n / 10))) {
    const value = Math.abs(links.weight(edge, k, reading));
    const share = (k + 1) / n;
    if (!Number.isNaN(value)) {
      sum += share * value;
      mass += share;
    }
  }
  return mass > 0 ? sum / mass : 0;
}

/** Index of the edge between two units; null if the page was not given it. */
export function edgeBetween(links: Links, source: number, target: number): number | null {
  return edgesOf(links.into, target).find((edge) => links.source[edge] === source) ?? null;
}

/** The strongest edges at one end of a unit, with their sizes. */
export function strongest(
  links: Links,
  unit: number,
  direction: "down" | "up",
  size: (edge: number) => number,
  count: number,
): [number, number][] {
  const lists = direction === "down" ? links.into : links.outOf;
  return Array.from(edgesOf(lists, unit), (edge): [number, number] => [edge, size(edge)])
    .filter(([, weight]) => weight > 0)
    .sort((a, b) => b[1] - a[1])
    .slice(0, count);
}

/** The units at the far ends of the strongest edges at a step, with their weights. */
export function neighbours(
  links: Links,
  unit: number,
  direction: "down" | "up",
  step: number,
  reading: Reading,
  count: number,
): { unit: number; edge: number; weight: number }[] {
  const weight = (edge: number) => links.weight(edge, step, reading);
  const ends = direction === "down" ? links.source : links.target;
  return strongest(links, unit, direction, (edge) => Math.abs(weight(edge)) || 0, count).map(
    ([edge]) => ({ unit: ends[edge] ?? -1, edge, weight: weight(edge) }),
  );
}
