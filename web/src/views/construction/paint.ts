/** Draws the coupling graph at one position of the film. Reads everything, changes nothing. */
import { css, type Palette } from "../../draw/colour";
import { FONT } from "../../draw/canvas";
import { trace } from "../../draw/shapes";
import { drawPicture, type Picture } from "../../data/pictures";
import type { Ancestry } from "./ancestry";
import type { Links, Standing } from "../../data/couplings";
import { paintGroups, type Grouping } from "./groups";
import type { Layout, Node } from "./layout";
import { paintRing, ringWidth, type Arcs } from "./ring";
import { presence, sizeIn, standingIn, weightIn, type Scene } from "./scene";

export interface Camera {
  zoom: number;
  x: number;
  y: number;
}

export interface NodeLook {
  picture: Picture | null;
  token: number | null;
  /** False where the unit's token signal is not beyond its null; null where that is not known. */
  isBeyond: boolean | null;
  isDead: boolean;
  label: string | null;
  /** Of image channels: their own. */
  colour?: string;
  /** Share 0 ... 1 drawn as a ring: the token's accuracy. */
  ring: number | null;
  /** The ring of what a unit inherits and constructs, where that is shown. */
  arcs?: Arcs | null;
}

export interface Picturing {
  layout: Layout;
  scene: Scene;
  links: Links;
  palette: Palette;
  position: number;
  focus: Ancestry | null;
  chosen: number | null;
  chosenEdge: number | null;
  hovered: { unit: number | null; edge: number | null };
  look(node: Node): NodeLook;
  /** Assemblies, where they are to be seen. */
  grouping: Grouping | null;
}

const THIN = 0.7;
const THICK = 6.5;
const DIMMED = 0.07;
const DASHES = [7, 6];

export function paint(pen: CanvasRenderingContext2D, camera: Camera, what: Picturing): void {
  pen.save();
  pen.translate(camera.x, camera.y);
  pen.scale(camera.zoom, camera.zoom);
  pen.lineCap = "round";
  if (what.grouping) paintGroups(pen, what.layout, what.grouping);
  // lit edges last, so that no dimmed one crosses them
  for (const isLit of [false, true]) paintEdges(pen, what, isLit);
  pen.globalAlpha = 1;
  for (const node of what.layout.nodes) paintNode(pen, what, node);
  paintGuests(pen, what);
  pen.restore();
  paintColumns(pen, camera, what);
}

/** The line above those that only the selection brought in. */
function paintGuests(pen: CanvasRenderingContext2D, { layout, palette }: Picturing): void {
  if (layout.guestsFrom === null) return;
  const y = Math.round(layout.guestsFrom) + 0.5;
  pen.strokeStyle = palette.line;
  pen.lineWidth = 1;
  pen.setLineDash([2, 4]);
  pen.beginPath();
  pen.moveTo(0, y);
  pen.lineTo(layout.width, y);
  pen.stroke();
  pen.setLineDash([]);
  pen.fillStyle = palette.quiet;
  pen.font = `10px ${FONT}`;
  pen.textAlign = "right";
  pen.textBaseline = "top";
  for (const [k, words] of ["also part of this,", "not among the", "strongest overall"].entries()) {
    pen.fillText(words, layout.width - 4, y + 6 + 12 * k);
  }
}

/** How an edge is drawn: 0 alpha means not at all. */
export function edgeLook(
  what: Picturing,
  e: number,
): { alpha: number; width: number; value: number } {
  const { scene, position, focus } = what;
  const value = weightIn(scene, e, position);
  const size = Math.abs(value);
  const gap = scene.gap[e] ?? 0;
  // by the scene's widest, not by this step's: an edge that grows over the film is seen to grow
  const width = THIN + (THICK - THIN) * Math.min(1, size / (scene.widest[gap] || 1));
  const isLit = focus?.edges.has(scene.edges[e] ?? -1) ?? false;
  const standing = standingIn(scene, e, position);
  if (scene.standings) return { alpha: gainAlpha(standing, isLit, what, e, size), width, value };
  // what was asked for stays in sight, however faint; below the null it is faint
  if (isLit)
    return {
      alpha: Math.max(0.16, presence(size, sizeIn(scene.chance, scene, gap, position))),
      width,
      value,
    };
  const most = focus ? DIMMED : standing === "within" ? 0.26 : 0.66;
  const alpha = presence(size, sizeIn(scene.full, scene, gap, position)) * most;
  return { alpha, width, value };
}

/** How strongly an edge that is drawn by its gain shows: others hardly where one is followed. */
function gainAlpha(
  standing: Standing,
  isLit: boolean,
  { scene, position, focus }: Picturing,
  e: number,
  size: number,
): number {
  if (Number.isNaN(size)) return 0;
  if (isLit) return standing === "within" ? 0.2 : 0.9;
  if (standing === "within") return focus ? 0 : 0.05;
  const full = sizeIn(scene.full, scene, scene.gap[e] ?? 0, position);
  return presence(size, full) * (focus ? DIMMED : 0.72);
}

function paintEdges(pen: CanvasRenderingContext2D, what: Picturing, wantsLit: boolean): void {
  const { scene, links, layout, palette, focus, hovered } = what;
  for (let e = 0; e < scene.edges.length; e++) {
    const edge = scene.edges[e] ?? 0;
    if ((focus?.edges.has(edge) ?? false) !== wantsLit) continue;
    const { alpha, width, value } = edgeLook(what, e);
    const isHovered = hovered.edge === edge || what.chosenEdge === edge;
    const touches =
      hovered.unit !== null &&
      (links.source[edge] === hovered.unit || links.target[edge] === hovered.unit);
    const isSeen = touches ? alpha > 0 : what.chosenEdge === edge;
    const shown = isSeen || isHovered ? Math.max(alpha, 0.9) : alpha;
    // most edges are not to be seen at a step; skipping them is most of what a frame saves
    if (shown < 0.02) continue;
    const from = layout.byUnit.get(links.source[edge] ?? -1);
    const to = layout.byUnit.get(links.target[edge] ?? -1);
    if (!from || !to) continue;
    const standing = standingIn(scene, e, what.position);
    pen.strokeStyle =
      standing === "within" ? palette.quiet : css(value < 0 ? palette.negative : palette.positive);
    pen.globalAlpha = shown;
    pen.lineWidth = isHovered ? width + 1.5 : width;
    pen.setLineDash(standing === "not held" ? DASHES : []);
    curve(pen, from, to);
    pen.stroke();
  }
  pen.setLineDash([]);
}

export function curve(pen: CanvasRenderingContext2D, from: Node, to: Node): void {
  const [x, end] = [from.x + from.size / 2, to.x - to.size / 2];
  const bend = (end - x) * 0.5;
  pen.beginPath();
  pen.moveTo(x, from.y);
  pen.bezierCurveTo(x + bend, from.y, end - bend, to.y, end, to.y);
}

function paintNode(pen: CanvasRenderingContext2D, what: Picturing, node: Node): void {
  const { palette, focus, chosen, hovered } = what;
  const look = what.look(node);
  const isLit = focus === null || focus.units.has(node.unit);
  const isQuiet = look.isBeyond === false || look.isDead;
  const [x, y] = [node.x - node.size / 2, node.y - node.size / 2];
  pen.globalAlpha = isLit ? 1 : 0.16;
  // the ground first: a half-transparent unit must not show the edges behind it
  pen.fillStyle = palette.ground;
  if (look.arcs) {
    pen.beginPath();
    pen.arc(node.x, node.y, node.size / 2 + (look.arcs.isDouble ? 3 : 0), 0, 2 * Math.PI);
  } else box(pen, x, y, node.size);
  pen.fill();
  if (!isLit) pen.globalAlpha = 0.13;
  else if (isQuiet) pen.globalAlpha = 0.42;
  if (look.picture && look.arcs) paintRound(pen, look.picture, node);
  else if (look.picture && look.ring === null) {
    drawPicture(pen, look.picture, x + 1, y + 1, node.size - 2);
  } else paintMark(pen, palette, look, node);
  const colour =
    look.token === null || isQuiet ? palette.quiet : (palette.tokens[look.token] ?? palette.quiet);
  const isMarked = node.unit === chosen || node.unit === hovered.unit;
  pen.strokeStyle = isMarked ? palette.focus : colour;
  pen.lineWidth = isMarked ? 3 : isQuiet || look.token === null ? 1 : 2;
  pen.globalAlpha = isLit ? (isQuiet && !isMarked ? 0.55 : 1) : 0.2;
  if (look.arcs) {
    paintRing(pen, node, look.arcs, { track: palette.band, colour });
    if (isMarked) mark(pen, node, palette.focus);
    if (look.picture && look.token !== null && !isQuiet && node.size > 18) {
      paintBadge(pen, palette, look.token, x + node.size - 2, y + node.size - 2, node.size);
    }
  } else if (look.picture && look.ring === null) {
    box(pen, x, y, node.size);
    pen.stroke();
    if (look.token !== null && !isQuiet && node.size > 18) {
      paintBadge(pen, palette, look.token, x + node.size - 1, y + node.size - 1, node.size);
    }
  } else if (isMarked) mark(pen, node, palette.focus);
  pen.globalAlpha = isLit ? 1 : 0.4;
  if (look.label) paintLabel(pen, palette, look.label, node, isLit && focus !== null);
}

/** A circle around the node that is chosen or under the pointer. */
function mark(pen: CanvasRenderingContext2D, { x, y, size }: Node, colour: string): void {
  pen.strokeStyle = colour;
  pen.lineWidth = 2.4;
  pen.beginPath();
  pen.arc(x, y, size / 2 + 4, 0, 2 * Math.PI);
  pen.stroke();
}

/** The picture inside the ring. */
function paintRound(pen: CanvasRenderingContext2D, picture: Picture, node: Node): void {
  const radius = node.size / 2 - ringWidth(node.size) - 0.6;
  pen.save();
  pen.beginPath();
  pen.arc(node.x, node.y, radius, 0, 2 * Math.PI);
  pen.clip();
  drawPicture(pen, picture, node.x - radius, node.y - radius, 2 * radius);
  pen.restore();
}

function paintBadge(
  pen: CanvasRenderingContext2D, palette: Palette, token: number, x: number, y: number, size: number,
): void {
  trace(pen, token, x - size * 0.06, y - size * 0.06, Math.max(3.4, size * 0.12));
  pen.fillStyle = palette.tokens[token] ?? palette.quiet;
  pen.fill();
  pen.strokeStyle = palette.ground;
  pen.lineWidth = 1.4;
  pen.stroke();
} // prettier-ignore

function paintMark(
  pen: CanvasRenderingContext2D,
  palette: Palette,
  look: NodeLook,
  node: Node,
): void {
  const radius = node.size * (look.ring === null ? 0.3 : 0.26);
  const own = look.token === null ? look.colour : palette.tokens[look.token];
  pen.fillStyle = own ?? palette.quiet;
  if (look.ring !== null) {
    pen.lineWidth = 4;
    for (const [share, colour] of [
      [1, palette.band],
      [look.ring, pen.fillStyle],
    ] as const) {
      pen.strokeStyle = colour;
      pen.beginPath();
      pen.arc(node.x, node.y, node.size * 0.45, -Math.PI / 2, (share * 2 - 0.5) * Math.PI);
      pen.stroke();
    }
  }
  trace(pen, look.token ?? 0, node.x, node.y, radius);
  if (look.isDead) {
    pen.strokeStyle = palette.quiet;
    pen.lineWidth = 1;
    pen.stroke();
  } else pen.fill();
}

function paintLabel(
  pen: CanvasRenderingContext2D, palette: Palette, label: string, node: Node, isStrong: boolean,
): void {
  pen.fillStyle = palette.ink;
  pen.font = `${isStrong ? "600 " : ""}12px ${FONT}`;
  pen.textBaseline = "middle";
  pen.textAlign = node.column === 0 ? "right" : "left";
  const side = node.column === 0 ? -1 : 1;
  pen.fillText(label, node.x + side * (node.size / 2 + 8), node.y);
} // prettier-ignore

/** Names of the layers, kept at the top of the picture wherever the camera is. */
function paintColumns(
  pen: CanvasRenderingContext2D,
  camera: Camera,
  { layout, palette }: Picturing,
): void {
  const [a, b] = [layout.columns[0], layout.columns[1]];
  const pitch = a && b ? (b.x - a.x) * camera.zoom : 60;
  const isTight = pitch < 58;
  pen.textAlign = "center";
  pen.textBaseline = "alphabetic";
  for (const { name, x, shown, all } of layout.columns) {
    const place = x * camera.zoom + camera.x;
    pen.fillStyle = palette.ground;
    pen.globalAlpha = 0.85;
    pen.fillRect(place - pitch * 0.48, 0, pitch * 0.96, 26);
    pen.globalAlpha = 1;
    pen.fillStyle = palette.ink;
    pen.font = `600 ${isTight ? Math.max(8, pitch * 0.24) : 11.5}px ${FONT}`;
    pen.fillText(name === "logits" ? "tokens" : name, place, 12);
    if (isTight) continue;
    pen.fillStyle = palette.quiet;
    pen.font = `10px ${FONT}`;
    pen.fillText(shown === all ? `${all}` : `${shown} of ${all}`, place, 24);
  }
}

function box(pen: CanvasRenderingContext2D, x: number, y: number, side: number): void {
  pen.beginPath();
  pen.roundRect(x, y, side, side, Math.min(4, side * 0.12));
}
