/** The map of constructed shares: where its cells are, and what each of them says. */
import type { Bundle } from "../../data/bundle";
import { observedAt, observedSteps } from "../../data/gains";
import type { ArrayName } from "../../data/names";
import { percent } from "../../draw/canvas";
import type { Size } from "../../shell/drawing";

/** Share of units that are constructed by chance: those whose p is at most .05. */
export const CHANCE = 0.05;

export interface Grid {
  rows: number;
  columns: number;
  left: number;
  top: number;
  /** Of one cell. */
  width: number;
  height: number;
}

export interface Cell {
  /** Layer, and place among the observed steps. */
  layer: number;
  column: number;
}

const MARGIN = { left: 46, right: 2, top: 2, bottom: 15 };

export function gridOf(size: Size, rows: number, columns: number): Grid {
  return {
    rows,
    columns,
    left: MARGIN.left,
    top: MARGIN.top,
    width: (size.width - MARGIN.left - MARGIN.right) / Math.max(1, columns),
    height: (size.height - MARGIN.top - MARGIN.bottom) / Math.max(1, rows),
  };
}

/** Top of a layer's row: the first layer lies lowest. */
export const rowTop = ({ top, rows, height }: Grid, layer: number): number =>
  top + (rows - 1 - layer) * height;

export function cellAt(grid: Grid, x: number, y: number): Cell | null {
  const column = Math.floor((x - grid.left) / grid.width);
  const row = Math.floor((y - grid.top) / grid.height);
  const isInside = column >= 0 && column < grid.columns && row >= 0 && row < grid.rows;
  return isInside ? { layer: grid.rows - 1 - row, column } : null;
}

/** The cell of a layer that holds at a recorded step: the last one observed. */
export const columnAt = (bundle: Bundle, step: number): number =>
  observedAt(bundle, "gain_step", step) ?? 0;

/** Index among the recorded steps of a column's step. */
export const stepOf = (bundle: Bundle, column: number): number =>
  bundle.manifest.steps.indexOf(observedSteps(bundle, "gain_step")[column] ?? 0);

export interface Share {
  value: number;
  low: number;
  high: number;
  /** Whether its interval lies above chance. */
  isBeyond: boolean;
  /** Whether from here on it stays beyond chance and beyond what it was before training. */
  isLasting: boolean;
}

export function shareAt(bundle: Bundle, { layer, column }: Cell): Share {
  const at = (name: ArrayName) => bundle.array(name)?.at(column, layer) ?? Number.NaN;
  const low = at("constructed_share_low");
  const by = bundle.array("layer_construction_by")?.at(layer) ?? Number.NaN;
  return {
    value: at("constructed_share"),
    low,
    high: at("constructed_share_high"),
    isBeyond: low > CHANCE,
    isLasting: (observedSteps(bundle, "gain_step")[column] ?? 0) >= by,
  };
}

/** A cell as one sentence. */
export function sayCell(bundle: Bundle, cell: Cell): string {
  const steps = observedSteps(bundle, "gain_step");
  const { value, low, high } = shareAt(bundle, cell);
  const own = bundle.manifest.layers[cell.layer];
  const before = steps[0] === 0 ? shareAt(bundle, { ...cell, column: 0 }).value : Number.NaN;
  const untrained = Number.isNaN(before) ? "" : `; before training ${percent(before)}`;
  return (
    `${own?.name ?? ""} at step ${(steps[cell.column] ?? 0).toLocaleString("en")}: ` +
    `${percent(value)} of ${own?.count ?? 0} units are constructed ` +
    `(95%: ${percent(low)} to ${percent(high)}; by chance ${percent(CHANCE)}${untrained})`
  );
}
