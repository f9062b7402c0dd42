/** Moving from node to node with the arrow keys. */
import type { Layout, Node } from "./layout";

export type Arrow = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";

export const isArrow = (key: string): key is Arrow => /^Arrow(Left|Right|Up|Down)$/.test(key);

/** The node that an arrow leads to: along its column, or to the nearest of the next one. */
export function walk(layout: Layout, from: number | null, arrow: Arrow): Node | null {
  const own = from === null ? undefined : layout.byUnit.get(from);
  if (!own) return layout.nodes.find(({ column }) => column === 1) ?? layout.nodes[0] ?? null;
  if (arrow === "ArrowUp" || arrow === "ArrowDown") {
    const column = layout.nodes
      .filter((node) => node.column === own.column)
      .sort((a, b) => a.y - b.y);
    const next = column.indexOf(own) + (arrow === "ArrowUp" ? -1 : 1);
    return column[Math.max(0, Math.min(column.length - 1, next))] ?? own;
  }
  const wanted = own.column + (arrow === "ArrowLeft" ? -1 : 1);
  const there = layout.nodes.filter((node) => node.column === wanted);
  return there.reduce<Node>(
    (best, node) =>
      best === own || Math.abs(node.y - own.y) < Math.abs(best.y - own.y) ? node : best,
    own,
  );
}
