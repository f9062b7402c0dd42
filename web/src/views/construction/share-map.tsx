/** Layers by steps: where and when more units are constructed than chance gives. */
import { signal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Bundle } from "../../data/bundle";
import { observedSteps } from "../../data/gains";
import type { ArrayName } from "../../data/names";
import { FONT, interval, percent } from "../../draw/canvas";
import { css, viridis, type Rgb } from "../../draw/colour";
import { useApp, type App } from "../../shell/app";
import { Drawing, type Size } from "../../shell/drawing";
import {
  cellAt,
  CHANCE,
  columnAt,
  gridOf,
  rowTop,
  sayCell,
  shareAt,
  stepOf,
  type Cell,
  type Grid,
} from "./shares";
import { isArrow, type Arrow } from "./walk";

/** How pale a cell is that is within chance, or beyond it at this step only. */
const [PALE, PASSING] = [0.2, 0.5];
const TITLE = "Constructed units by layer and step";

export function ShareMap() {
  const app = useApp();
  const acts = useMemo(() => interaction(app), []);
  return (
    <div class="overview">
      <figure class="shares">
        <figcaption>
          {TITLE} <span class="quiet">(share of the layer’s units)</span>
        </figcaption>
        <Drawing label={`${TITLE}. Arrow keys go from cell to cell, enter shows one.`} {...acts} />
        <p class="unseen" aria-live="polite">
          {acts.said.value}
        </p>
      </figure>
      <Key />
    </div>
  );
}

function Key() {
  const { store } = useApp();
  const most = mostOf(store.bundle.value);
  const stops = [0, 0.25, 0.5, 0.75, 1].map((share) => css(viridis(share))).join(", ");
  return (
    <div class="share-key">
      <p>
        <b>Constructed:</b> discriminates tokens better than all 19 recombinations of its weights
        (same parents, same weights, shuffled). <b>Combines:</b> better than its best parent, too.
        All other units <b>inherit</b>.
      </p>
      <p class="scale">
        <span>0</span>
        <i style={{ background: `linear-gradient(to right, ${stops})` }} />
        <span>{percent(most)}</span>
      </p>
      <p>
        Full, with a dot: from here on more than chance gives ({percent(CHANCE)}) and more than
        before training; pale: not, or in passing. Click a cell to see what its layer constructs.
      </p>
    </div>
  );
}

const most = new WeakMap<Bundle, number>();

/** The largest share of all cells: it is drawn in full colour. */
function mostOf(bundle: Bundle): number {
  const known = most.get(bundle);
  const share = bundle.array("constructed_share");
  if (known !== undefined || !share) return known ?? 1;
  const found = Math.max(0.2, ...Array.from(share.values()).filter(Number.isFinite));
  most.set(bundle, found);
  return found;
}

function interaction(app: App) {
  const { store } = app;
  const cursor = signal<Cell | null>(null);
  const said = signal("");
  const grid = (size: Size): Grid =>
    gridOf(size, app.bundle.manifest.layers.length, observedSteps(app.bundle, "gain_step").length);
  const choose = (cell: Cell) => {
    const [layer, step] = [cell.layer + 1, stepOf(app.bundle, cell.column)];
    const { state } = store;
    const isAgain = state.value.layer === layer && state.value.step === step;
    store.playing.value = false;
    const shown = { layer: isAgain ? null : layer, weights: "gain" as const };
    store.set({ ...shown, step, unit: null, token: null, edge: null });
  };
  return {
    said,
    paint: (pen: CanvasRenderingContext2D, size: Size) => paintCells(pen, grid(size), app),
    over: (pen: CanvasRenderingContext2D, size: Size) =>
      paintPlace(pen, grid(size), app, cursor.value),
    hover: (x: number, y: number, size: Size) => {
      const cell = cellAt(grid(size), x, y);
      if (!cell) return null;
      const entry = app.bundle.definition("constructed_share");
      const at = (name: ArrayName) => app.bundle.array(name)?.at(cell.layer) ?? Number.NaN;
      const since = interval(at("layer_construction_after"), at("layer_construction_by"));
      const combining = app.bundle.array("combining_share")?.at(cell.column, cell.layer) ?? null;
      return {
        title: sayCell(app.bundle, cell),
        rows: [
          ["combine", percent(combining)],
          ["more than chance and than before training", since],
        ] as const,
        note: entry?.definition ?? "",
        source: entry?.source ?? "",
      };
    },
    click: (x: number, y: number, size: Size) => {
      const cell = cellAt(grid(size), x, y);
      if (cell) choose(cell);
    },
    press: (key: string) => {
      const here = cursor.peek() ?? placeOf(app);
      if (key === "Enter" && cursor.peek()) choose(here);
      else if (isArrow(key)) {
        const next = cursor.peek() ? moved(app.bundle, here, key) : here;
        cursor.value = next;
        said.value = sayCell(app.bundle, next);
      } else return false;
      return true;
    },
  };
}

/** The cell that is looked at: of the chosen layer, else of the last, at this step. */
function placeOf({ bundle, store }: App): Cell {
  const { layer, step } = store.state.value;
  const last = bundle.manifest.layers.length - 1;
  return { layer: layer ? layer - 1 : last, column: columnAt(bundle, step) };
}

function moved(bundle: Bundle, { layer, column }: Cell, arrow: Arrow): Cell {
  const across = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: 0, ArrowDown: 0 }[arrow];
  const up = { ArrowUp: 1, ArrowDown: -1, ArrowLeft: 0, ArrowRight: 0 }[arrow];
  const within = (value: number, count: number) => Math.max(0, Math.min(count - 1, value));
  return {
    layer: within(layer + up, bundle.manifest.layers.length),
    column: within(column + across, observedSteps(bundle, "gain_step").length),
  };
}

function paintCells(pen: CanvasRenderingContext2D, grid: Grid, { bundle, palette }: App): void {
  const { quiet, ground, line, ink } = palette.value;
  const full = mostOf(bundle);
  const share = bundle.array("constructed_share");
  pen.font = `10px ${FONT}`;
  pen.textBaseline = "middle";
  bundle.manifest.layers.forEach(({ name }, layer) => {
    const y = rowTop(grid, layer);
    pen.fillStyle = quiet;
    pen.textAlign = "right";
    pen.fillText(name === "logits" ? "tokens" : name, grid.left - 6, y + grid.height / 2);
    for (let column = 0; share && column < grid.columns; column++) {
      const own = shareAt(bundle, { layer, column });
      const colour = viridis(own.value / full);
      const x = grid.left + column * grid.width;
      pen.fillStyle = ground;
      pen.fillRect(x, y, grid.width - 1, grid.height - 1);
      const strength = own.isLasting ? 1 : own.isBeyond ? PASSING : PALE;
      pen.globalAlpha = strength;
      pen.fillStyle = Number.isNaN(own.value) ? line : css(colour);
      pen.fillRect(x, y, grid.width - 1, grid.height - 1);
      pen.globalAlpha = 1;
      if (own.isLasting) dot(pen, x + grid.width - 7, y + grid.height / 2, inkOn(colour));
      if (own.isBeyond && grid.width > 34 && grid.height > 9) {
        pen.fillStyle = own.isLasting ? inkOn(colour) : ink;
        pen.textAlign = "left";
        pen.fillText(percent(own.value), x + 5, y + grid.height / 2 + 0.5);
      }
    }
  });
  paintSteps(pen, grid, observedSteps(bundle, "gain_step"), quiet);
}

const inkOn = ([r, g, b]: Rgb): string => (0.3 * r + 0.59 * g + 0.11 * b > 140 ? "#111" : "#fff");

function dot(pen: CanvasRenderingContext2D, x: number, y: number, colour: string): void {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, 2, 0, 2 * Math.PI);
  pen.fill();
}

function paintSteps(
  pen: CanvasRenderingContext2D,
  grid: Grid,
  steps: readonly number[],
  colour: string,
): void {
  pen.fillStyle = colour;
  pen.textAlign = "center";
  let free = -Infinity;
  steps.forEach((step, column) => {
    const words = step.toLocaleString("en");
    const x = grid.left + (column + 0.5) * grid.width;
    const half = pen.measureText(words).width / 2;
    if (x - half < free) return;
    free = x + half + 4;
    pen.fillText(words, x, grid.top + grid.rows * grid.height + 8);
  });
}

/** The column that holds at this step, the row of the chosen layer, and the keyboard's cell. */
function paintPlace(
  pen: CanvasRenderingContext2D,
  grid: Grid,
  { bundle, store, palette }: App,
  cursor: Cell | null,
): void {
  const { layer } = store.state.value;
  const column = columnAt(bundle, Math.floor(store.position.value));
  const right = grid.left + grid.columns * grid.width;
  pen.strokeStyle = palette.value.ink;
  pen.lineWidth = 1.5;
  const x = grid.left + column * grid.width - 0.5;
  pen.strokeRect(x, grid.top - 0.5, grid.width, grid.rows * grid.height);
  if (layer) {
    const y = rowTop(grid, layer - 1) - 0.5;
    pen.strokeRect(grid.left - 0.5, y, right - grid.left, grid.height);
  }
  if (!cursor) return;
  pen.strokeStyle = palette.value.focus;
  pen.lineWidth = 3;
  const [cx, cy] = [grid.left + cursor.column * grid.width, rowTop(grid, cursor.layer)];
  pen.strokeRect(cx, cy, grid.width - 1, grid.height - 1);
}
