/** Canvases as sharp as the screen, scales, and numbers as text. */

/** Fit a canvas to its element's size in device pixels; return its context, in CSS pixels. */
export function sharpen(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
): CanvasRenderingContext2D {
  // at most 2: beyond it the eye gains nothing, and the pixels to fill grow with the square
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  // only when it changes: setting a size, even the same one, empties the canvas and its state
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  const pen = canvas.getContext("2d");
  if (!pen) throw new Error("expected a browser with a 2d canvas");
  // set, not multiplied: the context keeps its transform from one painting to the next
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return pen;
}

export const FONT = '"Inter", "Segoe UI", system-ui, -apple-system, "DejaVu Sans", sans-serif';

export type Scale = (value: number) => number;

export const linear =
  (from: number, to: number, low: number, high: number): Scale =>
  (value) =>
    low + ((value - from) / (to - from || 1)) * (high - low);

/** A number as text: as many digits as are worth reading; "–" where there is none. */
export function show(value: number | null | undefined, digits = 2): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e6) return value.toLocaleString("en");
  // fixed digits would show such numbers as 0, or as a row of figures that nobody reads
  if (size !== 0 && (size < 10 ** -digits || size >= 1e4)) return value.toExponential(1);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : digits).replace("-", "−");
}

export const percent = (value: number | null): string =>
  value === null || !Number.isFinite(value) ? "–" : `${Math.round(value * 100)}%`;

/** The interval in which something set in, as text. */
export function interval(after: number, by: number): string {
  if (!Number.isFinite(by)) return "not shown in this run";
  if (!Number.isFinite(after)) return `by step ${by}`;
  return after === by ? `at step ${by}` : `between steps ${after} and ${by}`;
}
