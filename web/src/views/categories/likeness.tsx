/** How like a layer is to itself at every other step: blocks are times in which it hardly changed. */
import { useMemo } from "preact/hooks";
import { FONT } from "../../draw/canvas";
import { viridis } from "../../draw/colour";
import { useApp, type App } from "../../shell/app";
import { Drawing, type Size } from "../../shell/drawing";
import { tipOf } from "../../shell/hover";

const LEFT = 36;
const BELOW = 20;

export function Likeness({ layer }: { layer: number }) {
  const app = useApp();
  const acts = useMemo(() => interaction(app, layer), [layer]);
  const name = app.store.bundle.value.layersAll()[layer] ?? "";
  return (
    <figure class="chart">
      <figcaption>likeness of {name} at one step to itself at another</figcaption>
      <Drawing label={`Likeness of ${name} between steps`} {...acts} />
    </figure>
  );
}

const made = new WeakMap<object, Map<number, HTMLCanvasElement>>();

/** The heat map, one pixel a pair of steps. */
function heat(app: App, layer: number): HTMLCanvasElement | null {
  const field = app.bundle.array("cka");
  if (!field || field.dims.length !== 3) return null;
  let own = made.get(field);
  if (!own) made.set(field, (own = new Map()));
  const known = own.get(layer);
  if (known) return known;
  const n = field.shape[0] ?? 0;
  const board = document.createElement("canvas");
  board.width = board.height = n;
  const pen = board.getContext("2d");
  const pixels = pen?.createImageData(n, n);
  if (!pen || !pixels) return null;
  for (let a = 0; a < n; a++) {
    for (let b = 0; b < n; b++) {
      const value = field.at(a, layer, b);
      const colour = Number.isNaN(value) ? [128, 128, 128] : viridis(value);
      pixels.data.set([...colour, 255], 4 * ((n - 1 - a) * n + b));
    }
  }
  pen.putImageData(pixels, 0, 0);
  own.set(layer, board);
  return board;
}

function interaction(app: App, layer: number) {
  const place = ({ width, height }: Size) => {
    const n = app.store.steps.length;
    const side = Math.max(10, Math.min(width - LEFT - 4, height - BELOW - 4));
    return { n, side, cell: side / Math.max(1, n) };
  };
  return {
    paint: (pen: CanvasRenderingContext2D, size: Size) => {
      const { ink, quiet } = app.palette.value;
      const board = heat(app, layer);
      const { n, side, cell } = place(size);
      if (!board) return;
      pen.imageSmoothingEnabled = false;
      pen.drawImage(board, 0, 0, n, n, LEFT, 2, side, side);
      const { steps } = app.store;
      pen.fillStyle = quiet;
      pen.font = `10px ${FONT}`;
      pen.textBaseline = "middle";
      for (const share of [0, 0.25, 0.5, 0.75, 1]) {
        const k = Math.round(share * (n - 1));
        const label = (steps[k] ?? 0).toLocaleString("en");
        pen.textAlign = "right";
        pen.fillText(label, LEFT - 4, 2 + side - (k + 0.5) * cell);
        pen.textAlign = share === 1 ? "right" : "center";
        pen.fillText(label, share === 1 ? LEFT + side : LEFT + (k + 0.5) * cell, side + 11);
      }
      const at = app.store.position.value;
      pen.strokeStyle = "#ffffff";
      pen.lineWidth = 1.5;
      pen.strokeRect(LEFT, 2 + side - (at + 1) * cell, side, cell);
      pen.strokeRect(LEFT + at * cell, 2, cell, side);
      pen.strokeStyle = ink;
      pen.lineWidth = 1;
      pen.strokeRect(LEFT, 2, side, side);
    },
    hover: (x: number, y: number, size: Size) => {
      const { n, side, cell } = place(size);
      const [b, a] = [Math.floor((x - LEFT) / cell), n - 1 - Math.floor((y - 2) / cell)];
      if (a < 0 || b < 0 || a >= n || b >= n || x > LEFT + side) return null;
      const { steps } = app.store;
      const value = app.bundle.array("cka")?.at(a, layer, b) ?? Number.NaN;
      return tipOf(app, "cka", value, `step ${steps[a] ?? 0} and step ${steps[b] ?? 0}`);
    },
    click: (x: number, _y: number, size: Size) => {
      const k = Math.floor((x - LEFT) / place(size).cell);
      if (k >= 0 && k < app.store.steps.length) app.store.seek(k);
    },
  };
}
