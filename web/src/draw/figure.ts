/** A whole figure as a file: its title, its canvases, and the words beside them. */
import { FONT } from "./canvas";
import { save } from "./download";
import { SvgPen } from "./svg";

type Pen = CanvasRenderingContext2D;

export interface Painter {
  paint(pen: Pen, size: { width: number; height: number }): void;
}

const painters = new WeakMap<HTMLCanvasElement, Painter["paint"]>();

/** Keep how a canvas is painted, so that it can be painted again into a file. */
export const register = (canvas: HTMLCanvasElement, paint: Painter["paint"]): void =>
  void painters.set(canvas, paint);

export interface Look {
  title: string;
  /** The second line: which run and step. */
  below: string;
  ground: string;
  ink: string;
}

const HEAD = 46;
const WORDS =
  "figcaption, .side > p, .legend > span, .multiples button > span, .trust, th, td, .differences p";

interface Word {
  text: string;
  x: number;
  y: number;
  size: number;
  colour: string;
  /** Colour of the line or mark before it. */
  mark: string | null;
}

/** Text on the page beside the canvases, line by line where it stands. */
function words(figure: HTMLElement): Word[] {
  const frame = figure.getBoundingClientRect();
  return [...figure.querySelectorAll<HTMLElement>(WORDS)].flatMap((element) => {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    const size = Number.parseFloat(style.fontSize);
    const chosen = element.querySelector("select");
    const own = [...element.childNodes]
      // an open choice says all its options; the figure says the one that is chosen
      .map((node) =>
        node.contains(chosen) ? `step ${chosen?.selectedOptions[0]?.text ?? ""}` : node.textContent,
      )
      .join(" ");
    const text = (chosen ? own : element.innerText).replace(/\s+/g, " ").trim();
    const mark = element.querySelector("svg");
    const indent = mark ? mark.getBoundingClientRect().right - box.x + 4 : 0;
    const sample = mark?.querySelector("line, path");
    const drawn = sample?.getAttribute("stroke") ?? sample?.getAttribute("fill") ?? null;
    const x = box.x - frame.x + indent;
    return text === "" || box.width === 0
      ? []
      : [{ text, x, y: box.y - frame.y + size * 1.1, size, colour: style.color, mark: drawn }];
  });
}

function head(pen: Pen, { title, below, ground, ink }: Look, width: number, height: number): void {
  pen.fillStyle = ground;
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = ink;
  pen.textAlign = "left";
  pen.textBaseline = "alphabetic";
  pen.font = `600 15px ${FONT}`;
  pen.fillText(title, 8, 20);
  pen.font = `11px ${FONT}`;
  pen.fillText(below, 8, 37);
}

/** Draw title, canvases and words; `put` draws one canvas at its place. */
function compose(
  pen: Pen,
  figure: HTMLElement,
  look: Look,
  put: (canvas: HTMLCanvasElement, x: number, y: number, w: number, h: number) => void,
): void {
  const frame = figure.getBoundingClientRect();
  head(pen, look, frame.width, frame.height + HEAD);
  for (const canvas of figure.querySelectorAll("canvas")) {
    const box = canvas.getBoundingClientRect();
    put(canvas, box.x - frame.x, box.y - frame.y + HEAD, box.width, box.height);
  }
  pen.globalAlpha = 1;
  pen.textAlign = "left";
  pen.textBaseline = "alphabetic";
  for (const { text, x, y, size, colour, mark } of words(figure)) {
    if (mark !== null) {
      pen.fillStyle = mark;
      pen.fillRect(x - 16, y + HEAD - size * 0.45, 12, 3);
    }
    pen.fillStyle = colour;
    pen.font = `${size}px ${FONT}`;
    pen.fillText(text, x, y + HEAD);
  }
}

export async function savePng(name: string, figure: HTMLElement, look: Look): Promise<void> {
  const frame = figure.getBoundingClientRect();
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const board = new OffscreenCanvas(frame.width * ratio, (frame.height + HEAD) * ratio);
  const pen = board.getContext("2d") as unknown as Pen | null;
  if (!pen) return;
  pen.scale(ratio, ratio);
  compose(pen, figure, look, (canvas, x, y, w, h) => {
    if (canvas.width > 0) pen.drawImage(canvas, x, y, w, h);
  });
  save(`${name}.png`, await board.convertToBlob({ type: "image/png" }));
}

/** The figure as SVG, painted again: lines and words stay lines and words. */
export function svgOf(figure: HTMLElement, look: Look): string {
  const frame = figure.getBoundingClientRect();
  const pen = new SvgPen(cutter());
  compose(pen as unknown as Pen, figure, look, (canvas, x, y, width, height) => {
    pen.save();
    pen.translate(x, y);
    painters.get(canvas)?.(pen as unknown as Pen, { width, height });
    pen.globalAlpha = 1;
    pen.setLineDash([]);
    pen.restore();
  });
  const size = `width="${Math.ceil(frame.width)}" height="${Math.ceil(frame.height + HEAD)}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>\n${pen.text()}\n</svg>\n`;
}

export const saveSvg = (name: string, figure: HTMLElement, look: Look): void =>
  save(`${name}.svg`, new Blob([svgOf(figure, look)], { type: "image/svg+xml" }));

/** Cuts pictures out of sheets, each cut made once. */
function cutter() {
  const made = new Map<string, string>();
  const numbers = new Map<CanvasImageSource, number>();
  return (image: CanvasImageSource, x: number, y: number, w: number, h: number): string => {
    if (!numbers.has(image)) numbers.set(image, numbers.size);
    // by image and box: one sheet is cut at hundreds of places, each of which is drawn many times
    const key = [numbers.get(image), x, y, w, h].join();
    const known = made.get(key);
    if (known !== undefined) return known;
    const board = document.createElement("canvas");
    board.width = Math.max(1, Math.round(w));
    board.height = Math.max(1, Math.round(h));
    board.getContext("2d")?.drawImage(image, x, y, w, h, 0, 0, board.width, board.height);
    const address = board.toDataURL("image/png");
    made.set(key, address);
    return address;
  };
}
