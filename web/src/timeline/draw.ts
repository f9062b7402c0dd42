/** The timeline's static picture: accuracies over chance, losses, the onset raster, the axis. */
import type { Bundle } from "../data/bundle";
import type { Palette } from "../draw/colour";
import { hasPhases } from "../data/facts";
import { FONT, linear } from "../draw/canvas";
import { trace } from "../draw/shapes";
import type { Size } from "../shell/drawing";
import type { Axis } from "./axis";
import type { Row } from "./rows";

export const LEFT = 92;
export const RIGHT = 96;
export const AXIS = 18;
export const ROW = 11;

export interface Parts {
  curves: { top: number; bottom: number };
  raster: { top: number; row: number };
  axis: number;
}

export function parts(size: Size, nRows: number): Parts {
  const raster = nRows * ROW;
  const bottom = size.height - AXIS;
  return {
    curves: { top: 6, bottom: bottom - raster - (nRows > 0 ? 8 : 2) },
    raster: { top: bottom - raster - 2, row: ROW },
    axis: bottom,
  };
}

export interface Shown {
  bundle: Bundle;
  palette: Palette;
  axis: Axis;
  parts: Parts;
  rows: readonly Row[];
  token: number | null;
}

export function drawTimeline(pen: CanvasRenderingContext2D, size: Size, shown: Shown): void {
  drawAxis(pen, size, shown);
  drawChance(pen, size, shown);
  drawLoss(pen, shown);
  drawAccuracies(pen, shown);
  drawNames(pen, size, shown);
  drawChanges(pen, shown);
  shown.rows.forEach((row, k) => drawRow(pen, size, shown, row, k));
}

function drawAxis(
  pen: CanvasRenderingContext2D,
  size: Size,
  { palette, axis, parts }: Shown,
): void {
  pen.strokeStyle = palette.line;
  pen.lineWidth = 1;
  pen.fillStyle = palette.quiet;
  pen.font = `11px ${FONT}`;
  pen.textAlign = "center";
  pen.textBaseline = "top";
  for (const step of axis.ticks) {
    const x = Math.round(axis.x(step)) + 0.5;
    pen.beginPath();
    pen.moveTo(x, parts.curves.top);
    pen.lineTo(x, parts.axis);
    pen.stroke();
    pen.fillText(step.toLocaleString("en"), x, parts.axis + 3);
  }
  pen.textAlign = "left";
  pen.fillText("step (log)", size.width - RIGHT + 22, parts.axis + 3);
}

function drawChance(pen: CanvasRenderingContext2D, size: Size, shown: Shown): void {
  const { palette, bundle, parts } = shown;
  const { run } = bundle.manifest;
  const y = accuracyScale(parts);
  const [low, high] = [run.chanceLow ?? run.chance, run.chanceHigh ?? run.chance];
  if (low === null || high === null) return;
  pen.fillStyle = palette.band;
  pen.fillRect(LEFT, y(high), size.width - LEFT - RIGHT, Math.max(1, y(low) - y(high)));
}

/** Name, beside the last snapshot, what runs out there; names that would overlap make room. */
function drawNames(pen: CanvasRenderingContext2D, size: Size, shown: Shown): void {
  const { bundle, palette, parts } = shown;
  const { run, steps } = bundle.manifest;
  const y = accuracyScale(parts);
  const last = steps.length - 1;
  const names = [
    { name: "all tokens", at: bundle.array("accuracy")?.at(last, 1), isCurve: true },
    { name: "second probe", at: bundle.array("holdout_accuracy")?.at(last), isCurve: true },
    { name: "chance", at: run.chance ?? undefined, isCurve: false },
  ].filter((one) => one.at !== undefined && Number.isFinite(one.at));
  const places = spaced(
    names.map((one) => y(one.at ?? 0)),
    11,
    parts.curves.bottom,
  );
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  names.forEach((one, k) => {
    pen.fillStyle = one.isCurve ? palette.ink : palette.quiet;
    pen.font = `${one.isCurve ? "600 " : ""}10px ${FONT}`;
    pen.fillText(one.name, size.width - RIGHT + 6, places[k] ?? 0);
  });
}

/** Move places downwards as far as they need to lie `gap` apart, and all up if they leave below. */
export function spaced(places: readonly number[], gap: number, bottom: number): number[] {
  const found = [...places];
  const order = places.map((_, k) => k).sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0));
  order.forEach((k, n) => {
    const above = found[order[n - 1] ?? -1];
    if (above !== undefined) found[k] = Math.max(found[k] ?? 0, above + gap);
  });
  const over = Math.max(0, Math.max(...found) - bottom);
  return found.map((place) => place - over);
}

export const accuracyScale = ({ curves }: Parts) => linear(0, 1, curves.bottom, curves.top);

function line(pen: CanvasRenderingContext2D, points: Iterable<readonly [number, number]>): void {
  let isFirst = true;
  pen.beginPath();
  for (const [x, y] of points) {
    if (!Number.isFinite(y)) isFirst = true;
    else if (isFirst) {
      pen.moveTo(x, y);
      isFirst = false;
    } else pen.lineTo(x, y);
  }
  pen.stroke();
}

function drawLoss(pen: CanvasRenderingContext2D, shown: Shown): void {
  const { bundle, palette, axis, parts } = shown;
  const loss = bundle.array("loss");
  if (!loss) return;
  const { steps } = bundle.manifest;
  const most = Math.max(...steps.map((_, k) => loss.at(k, 1) || 0), 1e-9);
  const y = linear(0, most, parts.curves.bottom, parts.curves.top);
  pen.strokeStyle = palette.quiet;
  pen.lineWidth = 1;
  pen.setLineDash([3, 3]);
  line(
    pen,
    steps.map((step, k) => [axis.x(step), y(loss.at(k, 1))] as const),
  );
  pen.setLineDash([]);
  pen.fillStyle = palette.quiet;
  pen.font = `10px ${FONT}`;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  const mid = (parts.curves.top + parts.curves.bottom) / 2;
  pen.fillText("accuracy", LEFT - 30, mid - 7);
  pen.fillText("- - loss", LEFT - 30, mid + 7);
  pen.fillText("1", LEFT - 5, parts.curves.top + 4);
  pen.fillText("0", LEFT - 5, parts.curves.bottom - 3);
}

function drawAccuracies(pen: CanvasRenderingContext2D, shown: Shown): void {
  const { bundle, palette, axis, parts, token } = shown;
  const { steps, tokens } = bundle.manifest;
  const y = accuracyScale(parts);
  const [own, all] = [bundle.array("token_accuracy"), bundle.array("accuracy")];
  const held = bundle.array("holdout_token_accuracy");
  if (own) {
    tokens.forEach((_, k) => {
      pen.strokeStyle = palette.tokens[k] ?? palette.quiet;
      pen.globalAlpha = token === null || token === k ? 0.9 : 0.15;
      pen.lineWidth = token === k ? 2.6 : 1.4;
      line(
        pen,
        steps.map((step, s) => [axis.x(step), y(own.at(s, 1, k))] as const),
      );
      if (!held || token !== k) return;
      pen.setLineDash([1.5, 2.5]); // the second probe, of the token that is looked at
      line(
        pen,
        steps.map((step, s) => [axis.x(step), y(held.at(s, k))] as const),
      );
      pen.setLineDash([]);
    });
    pen.globalAlpha = 1;
  }
  if (!all) return;
  pen.strokeStyle = palette.ink;
  pen.lineWidth = 2;
  pen.globalAlpha = token === null ? 1 : 0.25;
  line(
    pen,
    steps.map((step, s) => [axis.x(step), y(all.at(s, 1))] as const),
  );
  const holdout = bundle.array("holdout_accuracy");
  if (holdout) {
    pen.setLineDash([1.5, 2.5]);
    line(
      pen,
      steps.map((step, s) => [axis.x(step), y(holdout.at(s))] as const),
    );
    pen.setLineDash([]);
  }
  pen.globalAlpha = 1;
}

/** Beginnings of phases, in which several measures change course together. */
function drawChanges(pen: CanvasRenderingContext2D, { bundle, palette, axis, parts }: Shown): void {
  const phase = bundle.array("phase");
  if (!phase || !hasPhases(bundle)) return;
  const [first, last] = [bundle.array("phase_first"), bundle.array("phase_last")];
  const y = parts.curves.top - 1;
  pen.fillStyle = palette.ink;
  bundle.manifest.steps.forEach((step, k) => {
    if (phase.at(k) !== 1) return;
    const x = axis.x(step);
    const [from, to] = [axis.x(first?.at(k) ?? step), axis.x(last?.at(k) ?? step)];
    if (Number.isFinite(from + to)) pen.fillRect(from, y - 4, to - from, 1.5);
    pen.beginPath();
    pen.moveTo(x - 4, y - 4);
    pen.lineTo(x + 4, y - 4);
    pen.lineTo(x, y + 3);
    pen.fill();
  });
}

function drawRow(
  pen: CanvasRenderingContext2D,
  size: Size,
  shown: Shown,
  row: Row,
  k: number,
): void {
  const { bundle, palette, axis, parts } = shown;
  const y = parts.raster.top + (k + 0.5) * parts.raster.row;
  const end = size.width - RIGHT;
  const colour = row.token === null ? palette.quiet : (palette.tokens[row.token] ?? palette.quiet);
  pen.fillStyle = palette.ink;
  pen.font = `10px ${FONT}`;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  pen.fillText(row.name, LEFT - 8, y);
  pen.strokeStyle = palette.line;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(LEFT, y);
  pen.lineTo(end, y);
  pen.stroke();
  if (!Number.isFinite(row.by)) {
    pen.fillStyle = palette.quiet;
    pen.textAlign = "left";
    pen.fillText(bundle.manifest.isLive ? "not yet" : "not shown", end + 6, y);
    return;
  }
  const by = axis.x(row.by);
  // a left-censored onset reaches back to the left end: it was there before anybody looked
  const after = Number.isFinite(row.after) ? axis.x(row.after) : LEFT;
  pen.globalAlpha = 0.28;
  pen.fillStyle = colour;
  pen.fillRect(by, y - 2, end - by, 4);
  pen.globalAlpha = 1;
  if (Number.isFinite(row.low) && Number.isFinite(row.high)) {
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(axis.x(row.low), y);
    pen.lineTo(axis.x(row.high), y);
    pen.stroke();
  }
  pen.fillRect(after, y - 3, Math.max(3, by - after), 6);
  if (row.token === null) return;
  trace(pen, row.token, by, y, 4);
  pen.fill();
}
