/** A pen that writes SVG: what a canvas is painted with, painted again as a drawing of lines. */

type Style = Pick<
  CanvasRenderingContext2D,
  | "fillStyle" | "strokeStyle" | "lineWidth" | "lineCap" | "globalAlpha" | "font" | "textAlign"
  | "textBaseline" | "imageSmoothingEnabled"
>; // prettier-ignore

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);
const number = (value: number): string => `${+value.toFixed(2)}`;
const points = (...values: number[]): string => values.map(number).join(" ");

const ANCHORS: Record<string, string> = { center: "middle", right: "end", end: "end" };
const BASELINES: Record<string, string> = { middle: "central", top: "hanging", bottom: "auto" };

/** Turns a cut of a picture into the address of one, as `drawImage` is given it. */
export type Cut = (image: CanvasImageSource, x: number, y: number, w: number, h: number) => string;

/** The part of a canvas's context that the page's drawings use. */
export class SvgPen implements Style {
  fillStyle: Style["fillStyle"] = "#000000";
  strokeStyle: Style["strokeStyle"] = "#000000";
  lineWidth = 1;
  lineCap: CanvasLineCap = "butt";
  globalAlpha = 1;
  font = "10px sans-serif";
  textAlign: CanvasTextAlign = "start";
  textBaseline: CanvasTextBaseline = "alphabetic";
  imageSmoothingEnabled = true;
  private readonly lines: string[] = [];
  private path = "";
  private dash: number[] = [];
  private open = 0;
  private readonly saved: number[] = [];

  constructor(private readonly cut: Cut) {}

  /** The drawing so far, without its svg element. */
  text(): string {
    return this.lines.join("\n") + "</g>".repeat(this.open);
  }

  save(): void {
    this.saved.push(this.open);
  }

  restore(): void {
    const before = this.saved.pop() ?? 0;
    this.lines.push("</g>".repeat(this.open - before));
    this.open = before;
  }

  translate(x: number, y: number): void {
    this.group(`translate(${points(x, y)})`);
  }

  scale(x: number, y: number): void {
    this.group(`scale(${x.toFixed(4)} ${y.toFixed(4)})`);
  }

  clearRect(): void {
    // A new drawing is empty.
  }

  beginPath(): void {
    this.path = "";
  }

  moveTo(x: number, y: number): void {
    this.path += `M${points(x, y)}`;
  }

  lineTo(x: number, y: number): void {
    this.path += `${this.path === "" ? "M" : "L"}${points(x, y)}`;
  }

  bezierCurveTo(a: number, b: number, c: number, d: number, x: number, y: number): void {
    this.path += `C${points(a, b, c, d, x, y)}`;
  }

  arc(x: number, y: number, radius: number, from: number, to: number): void {
    const at = (angle: number): [number, number] => [
      x + radius * Math.cos(angle),
      y + radius * Math.sin(angle),
    ];
    const sweep = Math.min(to - from, 2 * Math.PI);
    // a whole circle begins anew, as a line to its start would be drawn as a chord
    this.path += `${this.path === "" || sweep > 6.28 ? "M" : "L"}${points(...at(from))}`;
    // in two halves: an arc whose ends coincide is drawn by no viewer
    for (const share of [0.5, 1]) {
      this.path += `A${points(radius, radius)} 0 0 1 ${points(...at(from + share * sweep))}`;
    }
  }

  roundRect(x: number, y: number, w: number, h: number, r: number): void {
    this.path += `M${points(x + r, y)}h${number(w - 2 * r)}a${points(r, r, 0, 0, 1, r, r)}v${number(h - 2 * r)}a${points(r, r, 0, 0, 1, -r, r)}h${number(2 * r - w)}a${points(r, r, 0, 0, 1, -r, -r)}v${number(2 * r - h)}a${points(r, r, 0, 0, 1, r, -r)}Z`;
  }

  closePath(): void {
    this.path += "Z";
  }

  setLineDash(dash: readonly number[]): void {
    this.dash = [...dash];
  }

  fill(): void {
    this.put(`<path d="${this.path}" fill="${this.colour(this.fillStyle)}"`);
  }

  stroke(): void {
    this.put(`<path d="${this.path}" fill="none" ${this.line()}`);
  }

  fillRect(x: number, y: number, w: number, h: number): void {
    const [left, top] = [Math.min(x, x + w), Math.min(y, y + h)];
    const size = `width="${number(Math.abs(w))}" height="${number(Math.abs(h))}"`;
    this.put(
      `<rect x="${number(left)}" y="${number(top)}" ${size} fill="${this.colour(this.fillStyle)}"`,
    );
  }

  strokeRect(x: number, y: number, w: number, h: number): void {
    const place = `x="${number(x)}" y="${number(y)}" width="${number(w)}" height="${number(h)}"`;
    this.put(`<rect ${place} fill="none" ${this.line()}`);
  }

  fillText(text: string, x: number, y: number): void {
    const [, weight = "", size = "10", family = "sans-serif"] =
      /^(\S+\s+)?([\d.]+)px\s+(.*)$/.exec(this.font) ?? [];
    const bold = /^[6-9]00|bold/.test(weight) ? ' font-weight="600"' : "";
    const anchor = ANCHORS[this.textAlign] ?? "start";
    const base = BASELINES[this.textBaseline] ?? "auto";
    this.lines.push(
      `<text x="${number(x)}" y="${number(y)}" font-size="${size}" font-family="${escape(family)}"${bold} text-anchor="${anchor}" dominant-baseline="${base}" fill="${this.colour(this.fillStyle)}"${this.alpha()}>${escape(text)}</text>`,
    );
  }

  drawImage(image: CanvasImageSource, ...at: number[]): void {
    const [sx = 0, sy = 0, sw = 1, sh = 1, x = 0, y = 0, w = 0, h = 0] = at;
    // pixels of small exemplars stay pixels in the file, as on the screen
    const how = this.imageSmoothingEnabled ? "" : ' style="image-rendering:pixelated"';
    const place = `x="${number(x)}" y="${number(y)}" width="${number(w)}" height="${number(h)}"`;
    const address = this.cut(image, sx, sy, sw, sh);
    this.put(`<image ${place} preserveAspectRatio="none" href="${address}"${how}`);
  }

  private group(transform: string): void {
    this.lines.push(`<g transform="${transform}">`);
    this.open++;
  }

  private put(element: string): void {
    this.lines.push(`${element}${this.alpha()}/>`);
  }

  private alpha(): string {
    return this.globalAlpha >= 1 ? "" : ` opacity="${this.globalAlpha.toFixed(3)}"`;
  }

  private colour(style: Style["fillStyle"]): string {
    return typeof style === "string" ? escape(style) : "none";
  }

  private line(): string {
    const dash = this.dash.length > 0 ? ` stroke-dasharray="${this.dash.join(" ")}"` : "";
    const cap = this.lineCap === "butt" ? "" : ` stroke-linecap="${this.lineCap}"`;
    return `stroke="${this.colour(this.strokeStyle)}" stroke-width="${number(this.lineWidth)}"${dash}${cap}`;
  }
}
