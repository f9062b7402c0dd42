/** Assemblies in the graph: brought together, and on a ground of their own tint. */
import { FONT } from "../../draw/canvas";
import type { Layout, Node } from "./layout";

/** Bring units of one assembly together in each column; assemblies keep their order of places. */
export function together(
  columns: readonly (readonly number[])[],
  groupOf: (unit: number) => number | null,
): number[][] {
  const places = new Map<number, { sum: number; count: number }>();
  for (const column of columns) {
    column.forEach((unit, k) => {
      const group = groupOf(unit);
      if (group === null) return;
      const own = places.get(group) ?? { sum: 0, count: 0 };
      places.set(group, { sum: own.sum + (k + 0.5) / column.length, count: own.count + 1 });
    });
  }
  const key = (unit: number): number => {
    const own = places.get(groupOf(unit) ?? -1);
    return own ? own.sum / own.count : Infinity;
  };
  return columns.map((column) =>
    [...column].sort(
      (a, b) =>
        key(a) - key(b) ||
        (groupOf(a) ?? 0) - (groupOf(b) ?? 0) ||
        column.indexOf(a) - column.indexOf(b),
    ),
  );
}

/** A tint for each assembly, far from its neighbours'. */
export const tint = (group: number, isDark: boolean): string =>
  // steps of the golden angle: colours of neighbouring numbers lie far apart, however many
  // there are
  `hsl(${Math.round((group * 137.5 + 20) % 360)} 45% ${isDark ? 34 : 78}%)`;

export interface Grouping {
  isDark: boolean;
  ink: string;
  /** Whether a unit is part of what is looked at. */
  isLit(unit: number): boolean;
  groupOf(unit: number): number | null;
}

/** A ground under each unit in the tint of its assembly at this step, and each assembly's name. */
export function paintGroups(
  pen: CanvasRenderingContext2D,
  layout: Layout,
  grouping: Grouping,
): void {
  const named = new Set<number>();
  pen.font = `600 10px ${FONT}`;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  const nodes = [...layout.nodes].sort((a, b) => a.column - b.column || a.y - b.y);
  for (const node of nodes) {
    const group = grouping.groupOf(node.unit);
    if (group === null) continue;
    pen.fillStyle = tint(group, grouping.isDark);
    pen.globalAlpha = grouping.isLit(node.unit) ? 0.7 : 0.16;
    ground(pen, node);
    if (named.has(group)) continue;
    named.add(group);
    pen.globalAlpha = 0.75;
    pen.fillStyle = grouping.ink;
    pen.fillText(`A${group}`, node.x - node.size * 0.85 - 16, node.y);
  }
  pen.globalAlpha = 1;
}

function ground(pen: CanvasRenderingContext2D, { x, y, size }: Node): void {
  const [w, h] = [size * 1.5, size * 1.18];
  pen.fillRect(x - w / 2, y - h / 2, w, h);
}
