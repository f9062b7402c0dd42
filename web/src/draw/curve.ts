/** Lines over steps, with intervals and nulls as bands, for small charts. */
import type { Axis } from "../timeline/axis";
import { FONT, show, type Scale } from "./canvas";
import type { Palette } from "./colour";

export interface Series {
  values: readonly number[];
  low?: readonly number[];
  high?: readonly number[];
  colour: string;
  width: number;
  alpha: number;
}

export interface Chart {
  steps: readonly number[];
  axis: Axis;
  y: Scale;
  ends: [number, number];
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export function drawLine(
  pen: CanvasRenderingContext2D,
  { steps, axis, y }: Chart,
  one: Series,
): void {
  if (one.low && one.high) band(pen, { steps, axis, y }, one.low, one.high, one.colour, 0.18);
  pen.globalAlpha = one.alpha;
  pen.strokeStyle = one.colour;
  pen.lineWidth = one.width;
  pen.beginPath();
  // a missing value lifts the pen: a line across it would claim what nobody measured
  let isDown = false;
  steps.forEach((step, k) => {
    const value = one.values[k] ?? Number.NaN;
    if (!Number.isFinite(value)) isDown = false;
    else if (isDown) pen.lineTo(axis.x(step), y(value));
    else {
      pen.moveTo(axis.x(step), y(value));
      isDown = true;
    }
  });
  pen.stroke();
  pen.globalAlpha = 1;
}

export function band(
  pen: CanvasRenderingContext2D,
  { steps, axis, y }: Pick<Chart, "steps" | "axis" | "y">,
  low: readonly number[],
  high: readonly number[],
  colour: string,
  alpha: number,
): void {
  const known = [...steps.keys()].filter(
    (k) => Number.isFinite(low[k]) && Number.isFinite(high[k]),
  );
  if (known.length < 2) return;
  pen.globalAlpha = alpha;
  pen.fillStyle = colour;
  pen.beginPath();
  for (const k of known) pen.lineTo(axis.x(steps[k] ?? 0), y(high[k] ?? 0));
  for (const k of known.reverse()) pen.lineTo(axis.x(steps[k] ?? 0), y(low[k] ?? 0));
  pen.fill();
  pen.globalAlpha = 1;
}

export function drawEnds(pen: CanvasRenderingContext2D, chart: Chart, palette: Palette): void {
  pen.strokeStyle = palette.line;
  pen.lineWidth = 1;
  pen.strokeRect(
    chart.left + 0.5,
    chart.top + 0.5,
    chart.right - chart.left,
    chart.bottom - chart.top,
  );
  pen.fillStyle = palette.quiet;
  pen.font = `10px ${FONT}`;
  pen.textAlign = "right";
  pen.textBaseline = "top";
  pen.fillText(show(chart.ends[1]), chart.left - 4, chart.top - 1);
  pen.textBaseline = "bottom";
  pen.fillText(show(chart.ends[0]), chart.left - 4, chart.bottom + 1);
}
