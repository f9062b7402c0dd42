/** A shape for each token, so that colour is never the only sign. */

type Pen = Pick<CanvasRenderingContext2D, "beginPath" | "moveTo" | "lineTo" | "arc" | "closePath">;

const POLYGONS: readonly (readonly (readonly [number, number])[])[] = [
  [],
  [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
  [[0, -1.15], [1.05, 0.8], [-1.05, 0.8]],
  [[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]],
  [[0, 1.15], [1.05, -0.8], [-1.05, -0.8]],
  [[-0.38, -1.1], [0.38, -1.1], [0.38, -0.38], [1.1, -0.38], [1.1, 0.38], [0.38, 0.38],
    [0.38, 1.1], [-0.38, 1.1], [-0.38, 0.38], [-1.1, 0.38], [-1.1, -0.38], [-0.38, -0.38]],
  [[0, -1.15], [1.1, -0.3], [0.68, 1], [-0.68, 1], [-1.1, -0.3]],
  [[-1, -0.4], [-0.4, -1], [0.4, -1], [1, -0.4], [1, 0.4], [0.4, 1], [-0.4, 1], [-1, 0.4]],
]; // prettier-ignore

/** Trace the token's shape: disc, square, triangle, diamond, ... */
export function trace(pen: Pen, token: number, x: number, y: number, radius: number): void {
  pen.beginPath();
  add(pen, token, x, y, radius);
}

/** Add the token's shape to the path that is being traced. */
export function add(pen: Pen, token: number, x: number, y: number, radius: number): void {
  const corners = POLYGONS[((token % 8) + 8) % 8] ?? [];
  if (corners.length === 0) {
    pen.moveTo(x + radius, y);
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  corners.forEach(([dx, dy], k) => {
    if (k === 0) pen.moveTo(x + dx * radius, y + dy * radius);
    else pen.lineTo(x + dx * radius, y + dy * radius);
  });
  pen.closePath();
}

/** The same shape as an SVG path about the origin. */
export function path(token: number, radius: number): string {
  const corners = POLYGONS[((token % 8) + 8) % 8] ?? [];
  if (corners.length === 0) {
    return `M${-radius},0a${radius},${radius} 0 1,0 ${2 * radius},0a${radius},${radius} 0 1,0 ${-2 * radius},0Z`;
  }
  return `M${corners.map(([x, y]) => `${(x * radius).toFixed(2)},${(y * radius).toFixed(2)}`).join("L")}Z`;
}
