/** What a unit is built from, down to the pixels, and what uses it, up to the tokens. */
import type { Units } from "../../data/units";
import { strongest, type Links } from "../../data/couplings";

export interface Ancestry {
  units: Map<number, number>;
  edges: Map<number, number>;
}

export interface Breadth {
  /** Strongest edges followed from each unit. */
  each: number;
  /** Most units kept in a layer. */
  layer: number;
}

type Size = (edge: number) => number;

/** Follow the strongest edges from a unit, layer by layer, downward or upward. */
export function follow(
  links: Links,
  units: Units,
  unit: number,
  direction: "down" | "up",
  size: Size,
  { each, layer }: Breadth = { each: 3, layer: 6 },
): Ancestry {
  const found: Ancestry = { units: new Map([[unit, 1]]), edges: new Map() };
  let front = new Map([[unit, 1]]);
  for (let depth = 0; depth <= units.layers.length && front.size > 0; depth++) {
    const next = new Map<number, number>();
    const edges = new Map<number, [number, number]>();
    for (const [own, share] of front) {
      for (const [edge, weight] of strongest(links, own, direction, size, each)) {
        const ends = direction === "down" ? links.source : links.target;
        const other = ends[edge] ?? -1;
        next.set(other, (next.get(other) ?? 0) + share * weight);
        edges.set(edge, [other, share * weight]);
      }
    }
    front = widest(next, layer);
    // edges to units that were cut are cut as well, or they would end in nothing
    for (const [edge, [other, path]] of edges) if (front.has(other)) found.edges.set(edge, path);
    for (const [other, share] of front) found.units.set(other, share);
  }
  return found;
}

/** Everything that leads to a unit, and everything that it leads to. */
export function lineage(
  links: Links,
  units: Units,
  unit: number,
  size: Size,
  breadth?: Breadth,
): Ancestry {
  const down = follow(links, units, unit, "down", size, breadth);
  const up = follow(links, units, unit, "up", size, breadth);
  return {
    units: new Map([...up.units, ...down.units]),
    edges: new Map([...up.edges, ...down.edges]),
  };
}

const widest = (front: ReadonlyMap<number, number>, most: number): Map<number, number> =>
  new Map([...front].sort((a, b) => b[1] - a[1]).slice(0, most));
