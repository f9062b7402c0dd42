/** Draws a detector's card: its picture, its exemplars, its tuning and its life. */
import type { Bundle } from "../../data/bundle";
import { isBeyond, isDead, preferredToken, tokenSignal } from "../../data/facts";
import { drawPicture, pictureOf, topExemplar } from "../../data/pictures";
import { FONT, linear, show } from "../../draw/canvas";
import type { Palette } from "../../draw/colour";
import { band, drawLine } from "../../draw/curve";
import { trace } from "../../draw/shapes";
import type { Size } from "../../shell/drawing";
import { axis } from "../../timeline/axis";
import { stepAt } from "../../state/state";

export const PICTURE = 68;
const SMALL = 33;
const PAD = 8;
const HEAD = 20;

export interface Card {
  bundle: Bundle;
  palette: Palette;
  unit: number;
  position: number;
}

export function paintCard(pen: CanvasRenderingContext2D, size: Size, card: Card): void {
  const { bundle, palette, unit, position } = card;
  const step = Math.round(position);
  const token = preferredToken(bundle, unit, step);
  const isQuiet = isBeyond(bundle, unit, step) === false || isDead(bundle, unit, step);
  pen.fillStyle = palette.ink;
  pen.font = `600 12px ${FONT}`;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillText(bundle.units.name(unit), PAD, 12);
  if (token !== null && !isQuiet) {
    trace(pen, token, size.width - PAD - 6, 12, 5);
    pen.fillStyle = palette.tokens[token] ?? palette.quiet;
    pen.fill();
  }
  const hasPicture = paintPictures(pen, card, isQuiet);
  const top = hasPicture ? HEAD + PICTURE + 6 : HEAD;
  paintTuning(pen, size, card, top);
  paintNow(pen, size, card);
  if (isDead(bundle, unit, step)) {
    pen.fillStyle = palette.quiet;
    pen.font = `11px ${FONT}`;
    pen.textAlign = "right";
    pen.fillText("dead", size.width - PAD, 12);
  }
}

function paintPictures(
  pen: CanvasRenderingContext2D,
  { bundle, unit, position }: Card,
  isQuiet: boolean,
): boolean {
  const step = bundle.manifest.steps[Math.round(position)] ?? 0;
  const picture = pictureOf(bundle, unit, step);
  if (!picture) return false;
  pen.globalAlpha = isQuiet ? 0.45 : 1;
  drawPicture(pen, picture, PAD, HEAD, PICTURE);
  for (let rank = 0; rank < 4; rank++) {
    const top = topExemplar(bundle, unit, rank);
    if (!top) continue;
    const [x, y] = [
      PAD + PICTURE + 4 + (rank % 2) * (SMALL + 2),
      HEAD + Math.floor(rank / 2) * (SMALL + 2),
    ];
    drawPicture(pen, top, x, y, SMALL);
  }
  pen.globalAlpha = 1;
  return true;
}

/** Mean answer to each token, in standard deviations, from the middle line up or down. */
function paintTuning(
  pen: CanvasRenderingContext2D,
  size: Size,
  { bundle, palette, unit, position }: Card,
  top: number,
): void {
  const response = bundle.shown("token_response");
  if (!response) return;
  const n = bundle.manifest.tokens.length;
  const width = (size.width - 2 * PAD) / n;
  const [middle, half] = [top + 17, 16];
  for (let token = 0; token < n; token++) {
    const value = response.between(position, unit, token);
    const height = Math.max(-half, Math.min(half, (value / 2) * half)) || 0;
    pen.fillStyle = palette.tokens[token] ?? palette.quiet;
    pen.fillRect(
      PAD + token * width + 1.5,
      middle - Math.max(0, height),
      width - 3,
      Math.max(1, Math.abs(height)),
    );
  }
  pen.fillStyle = palette.quiet;
  pen.fillRect(PAD, middle, size.width - 2 * PAD, 0.6);
}

const lives = new WeakMap<Bundle, Map<number, { values: number[]; nulls: number[] }>>();

function lifeOf(bundle: Bundle, unit: number) {
  let own = lives.get(bundle);
  if (!own) lives.set(bundle, (own = new Map()));
  const known = own.get(unit);
  if (known) return known;
  const signals = bundle.manifest.steps.map((_, k) => tokenSignal(bundle, unit, k));
  const made = { values: signals.map((s) => s.value), nulls: signals.map((s) => s.null) };
  // kept only when it is complete: half-loaded numbers would stay for good
  if (bundle.status("token_signal") === "ready") own.set(unit, made);
  return made;
}

/** Where the life line begins: under the picture and the tuning, where there are any. */
function lifeTop(bundle: Bundle, unit: number): number {
  const hasPicture = pictureOf(bundle, unit, bundle.manifest.steps[0] ?? 0) !== null;
  const top = hasPicture ? HEAD + PICTURE + 6 : HEAD;
  return top + (bundle.shown("token_response") ? 42 : 6);
}

/** The step now, on the life line. */
function paintNow(pen: CanvasRenderingContext2D, size: Size, card: Card): void {
  const { bundle, palette, unit, position } = card;
  const { steps } = bundle.manifest;
  const [top, bottom] = [lifeTop(bundle, unit), size.height - 14];
  pen.fillStyle = palette.focus;
  const x = axis(steps, PAD, size.width - PAD).x(stepAt(position, steps));
  pen.fillRect(x - 0.5, top, 1, bottom - top);
}

/** Token signal over training with its null in grey; onset, lock-in and death. */
export function paintLife(
  pen: CanvasRenderingContext2D,
  size: Size,
  { bundle, palette, unit }: Omit<Card, "position">,
): void {
  const top = lifeTop(bundle, unit);
  const { steps } = bundle.manifest;
  const [left, right, bottom] = [PAD, size.width - PAD, size.height - 14];
  const at = axis(steps, left, right);
  const { values, nulls } = lifeOf(bundle, unit);
  // a floor, or noise of a unit without signal would fill the card
  const most = Math.max(0.05, ...values.filter(Number.isFinite));
  const y = linear(0, most, bottom, top);
  band(
    pen,
    { steps, axis: at, y },
    nulls.map(() => 0),
    nulls,
    palette.isDark ? "#4a525c" : "#d3d8dd",
    1,
  );
  drawLine(
    pen,
    { steps, axis: at, y, ends: [0, most], left, right, top, bottom },
    { values, colour: palette.ink, width: 1.3, alpha: 1 },
  );
  pen.fillStyle = palette.quiet;
  pen.fillRect(left, bottom, right - left, 0.7);
  const marks = [
    ["unit_onset_by", 0],
    ["lockin", 1],
    ["death", 2],
  ] as const;
  for (const [name, kind] of marks) {
    const step = bundle.array(name)?.at(unit) ?? Number.NaN;
    if (!Number.isFinite(step)) continue;
    const x = at.x(step);
    pen.fillStyle = palette.ink;
    trace(pen, kind === 0 ? 2 : kind === 1 ? 1 : 5, x, bottom + 7, kind === 1 ? 2.6 : 3.2);
    pen.fill();
  }
  pen.fillStyle = palette.quiet;
  pen.font = `9px ${FONT}`;
  pen.textAlign = "left";
  pen.textBaseline = "top";
  pen.fillText(show(most), left, top - 3);
}
