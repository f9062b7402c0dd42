/** What of the graph is under the pointer. */
import type { Node } from "./layout";
import { edgeLook, type Camera, type Picturing } from "./paint";

export const toWorld = (camera: Camera, x: number, y: number): [number, number] => [
  (x - camera.x) / camera.zoom,
  (y - camera.y) / camera.zoom,
];

export function nodeAt(nodes: readonly Node[], x: number, y: number): Node | null {
  return (
    nodes.find(
      (node) =>
        Math.abs(node.x - x) <= node.size / 2 + 1 && Math.abs(node.y - y) <= node.size / 2 + 1,
    ) ?? null
  );
}

const NEAR = 5;
const SAMPLES = 14;

/** The edge drawn nearest to a place, within a few pixels; null if none is. */
export function edgeAt(what: Picturing, x: number, y: number): number | null {
  const { scene, links, layout } = what;
  let [best, nearest] = [-1, NEAR];
  for (let e = 0; e < scene.edges.length; e++) {
    const edge = scene.edges[e] ?? 0;
    const from = layout.byUnit.get(links.source[edge] ?? -1);
    const to = layout.byUnit.get(links.target[edge] ?? -1);
    if (!from || !to || x < from.x || x > to.x) continue;
    // an edge that cannot be seen cannot be meant
    if (edgeLook(what, e).alpha < 0.1) continue;
    const far = distance(from, to, x, y);
    if (far < nearest) [best, nearest] = [edge, far];
  }
  return best < 0 ? null : best;
}

function distance(from: Node, to: Node, x: number, y: number): number {
  const [start, end] = [from.x + from.size / 2, to.x - to.size / 2];
  let nearest = Infinity;
  for (let k = 0; k <= SAMPLES; k++) {
    const t = k / SAMPLES;
    const s = 1 - t;
    const bend = (end - start) * 0.5;
    const px =
      s ** 3 * start + 3 * s * s * t * (start + bend) + 3 * s * t * t * (end - bend) + t ** 3 * end;
    const py = (s ** 3 + 3 * s * s * t) * from.y + (3 * s * t * t + t ** 3) * to.y;
    // the samples are sparse along the curve, so that distance along it counts half
    nearest = Math.min(nearest, Math.hypot((px - x) * 0.5, py - y));
  }
  return nearest;
}
