/** What is drawn at a position of the film: edges with their width and strength of colour. */
import type { Units } from "../../data/units";
import type { Field } from "../../data/field";
import type { Links, Reading, Standing } from "../../data/couplings";
import type { Layout } from "./layout";

/** Edges between drawn units, with their weights at every recorded step. */
export interface Scene {
  edges: Int32Array;
  /** Gap between layers that each edge crosses: the index of its target's layer. */
  gap: Int16Array;
  /** [step x edge] weights; NaN where not known. */
  weights: Float32Array;
  nSteps: number;
  /** [step x gap] size of the weakest of the strongest edges: below it they fade. */
  full: Float32Array;
  /** [step x gap] the null: sizes below it are what permuted weights give; 0 where not known. */
  chance: Float32Array;
  /** [step x edge] how each edge stands by itself; null where the null is that of its layer. */
  standings: Standing[] | null;
  /** Of each gap: the size that is drawn widest. */
  widest: Float32Array;
  nGaps: number;
}

export function scene(
  links: Links,
  layout: Layout,
  units: Units,
  reading: Reading,
  nulls: Field | null,
  perGap: number,
): Scene {
  const edges: number[] = [];
  for (let edge = 0; edge < links.count; edge++) {
    const [source, target] = [links.source[edge] ?? 0, links.target[edge] ?? 0];
    if (layout.byUnit.has(source) && layout.byUnit.has(target)) edges.push(edge);
  }
  const { nSteps } = links;
  const gap = Int16Array.from(edges, (edge) => units.layer(links.target[edge] ?? 0));
  const weights = new Float32Array(nSteps * edges.length);
  for (let k = 0; k < nSteps; k++) {
    edges.forEach((edge, e) => {
      weights[k * edges.length + e] = links.weight(edge, k, reading);
    });
  }
  const nGaps = units.layers.length;
  const standings = standingsOf(links, edges);
  const made = { edges: Int32Array.from(edges), gap, weights, standings, nSteps, nGaps };
  const chance = nullSizes(nulls, nSteps, units.layers.length);
  return { ...made, chance, ...thresholds(made, perGap) };
}

function standingsOf(links: Links, edges: readonly number[]): Standing[] | null {
  const { standing, nSteps } = links;
  if (!standing) return null;
  return Array.from({ length: nSteps }, (_, k) => edges.map((edge) => standing(edge, k))).flat();
}

/** How an edge stands at a position: by itself, or against the null of its layer. */
export function standingIn(scene: Scene, e: number, position: number): Standing {
  const { standings, edges, gap } = scene;
  if (standings) return standings[Math.floor(position) * edges.length + e] ?? "within";
  const size = Math.abs(weightIn(scene, e, position));
  return size > sizeIn(scene.chance, scene, gap[e] ?? 0, position) ? "beyond" : "within";
}

/** The null of each layer at each step; 0 where there is none. */
export function nullSizes(nulls: Field | null, nSteps: number, nGaps: number): Float32Array {
  const sizes = new Float32Array(nSteps * nGaps);
  if (!nulls) return sizes;
  for (let k = 0; k < nSteps; k++) {
    for (let g = 0; g < nGaps; g++) sizes[k * nGaps + g] = nulls.at(k, g) || 0;
  }
  return sizes;
}

function thresholds(
  { gap, weights, standings, nSteps, nGaps, edges }: Omit<Scene, "full" | "chance" | "widest">,
  perGap: number,
): { full: Float32Array; widest: Float32Array } {
  const full = new Float32Array(nSteps * nGaps);
  const widest = new Float32Array(nGaps);
  for (let g = 0; g < nGaps; g++) {
    const own = [...gap.keys()].filter((e) => gap[e] === g);
    for (let k = 0; k < nSteps; k++) {
      const counts = standings
        ? own.filter((e) => standings[k * edges.length + e] !== "within")
        : own;
      const sizes = counts
        .map((e) => Math.abs(weights[k * edges.length + e] ?? 0))
        .filter((size) => !Number.isNaN(size))
        .sort((a, b) => b - a);
      // the threshold is a rank at each step, so that as many edges show early as late
      const last = sizes[Math.min(perGap, sizes.length) - 1] ?? 0;
      full[k * nGaps + g] = last;
      // the third largest: one outlier would make all other edges thin
      widest[g] = Math.max(widest[g] ?? 0, sizes[Math.min(2, sizes.length - 1)] ?? 0);
    }
  }
  return { full, widest };
}

const between = (a: number, b: number, share: number): number =>
  // NaN times 0 is NaN: where one side is missing the other one stands
  share === 0 ? a : Number.isNaN(a) ? b : Number.isNaN(b) ? a : a + share * (b - a);

/** Weight of the scene's edge e at a position. */
export function weightIn({ weights, edges, nSteps }: Scene, e: number, position: number): number {
  const k = Math.min(nSteps - 1, Math.floor(position));
  const next = Math.min(nSteps - 1, k + 1);
  const n = edges.length;
  return between(
    weights[k * n + e] ?? Number.NaN,
    weights[next * n + e] ?? Number.NaN,
    position - k,
  );
}

/** A size of a gap (threshold or null) at a position. */
export function sizeIn(
  sizes: Float32Array,
  { nGaps, nSteps }: Scene,
  gap: number,
  position: number,
): number {
  const k = Math.min(nSteps - 1, Math.floor(position));
  const next = Math.min(nSteps - 1, k + 1);
  return between(sizes[k * nGaps + gap] ?? 0, sizes[next * nGaps + gap] ?? 0, position - k);
}

/** How strongly an edge shows: 0 below 0.8 of the threshold, 1 from 1.15 of it on. */
export function presence(size: number, threshold: number): number {
  if (Number.isNaN(size) || size <= 0) return 0;
  if (threshold <= 0) return 1;
  const share = Math.max(0, Math.min(1, (size / threshold - 0.8) / 0.35));
  // smooth at both ends, so that edges fade and do not blink while the film plays
  return share * share * (3 - 2 * share);
}

/** Edges of the scene at full presence, and those of them that are above their null. */
export function counted(scene: Scene, step: number): { drawn: number; above: number } {
  let [drawn, above] = [0, 0];
  scene.edges.forEach((_, e) => {
    if (scene.standings && standingIn(scene, e, step) === "within") return;
    const size = Math.abs(weightIn(scene, e, step));
    const gap = scene.gap[e] ?? 0;
    if (!(size > 0 && size >= sizeIn(scene.full, scene, gap, step))) return;
    drawn++;
    if (standingIn(scene, e, step) !== "within") above++;
  });
  return { drawn, above };
}
