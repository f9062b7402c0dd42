/** Image sheets as uncompressed BMP files: pictures without an encoder. */

export interface Made {
  data: Uint8Array<ArrayBuffer>;
  columns: number;
}

const HEADER = 54;

export function pictureSheet(
  count: number,
  side: number,
  paint: (k: number, x: number, y: number) => [number, number, number],
): Made {
  const columns = Math.max(1, Math.floor(Math.sqrt(count)));
  const rows = Math.ceil(count / columns);
  const [width, height] = [columns * side, rows * side];
  const stride = Math.ceil((width * 3) / 4) * 4;
  const data = new Uint8Array(HEADER + stride * height);
  const view = new DataView(data.buffer);
  data.set([0x42, 0x4d]);
  view.setUint32(2, data.length, true);
  view.setUint32(10, HEADER, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, width, true);
  view.setInt32(22, -height, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  for (let k = 0; k < count; k++) {
    const [left, top] = [(k % columns) * side, Math.floor(k / columns) * side];
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const [r, g, b] = paint(k, x, y);
        data.set([b, g, r], HEADER + (top + y) * stride + (left + x) * 3);
      }
    }
  }
  return { data, columns };
}
