/** A ring that fills with a unit's selectivity: what it inherits pale, what it constructs full. */
import type { UnitGain } from "../../data/gains";
import { COMBINES, SELECTS } from "../../data/gains";

export interface Arcs {
  /** Shares of the whole circle: where the pale part ends, and where the full part after it does. */
  pale: number;
  full: number;
  isDouble: boolean;
}

const clamp = (value: number): number => Math.max(0, Math.min(1, value)) || 0;

/** The ring of a unit; a gain that recombinations reach is no construction, and pale as well. */
export function arcsOf({ selectivity, inherited, gain, kind }: UnitGain): Arcs {
  const isConstructed = kind >= SELECTS && gain > 0;
  return {
    pale: clamp(isConstructed ? inherited : selectivity),
    full: clamp(isConstructed ? selectivity : 0),
    isDouble: kind === COMBINES,
  };
}

/** Width of the ring of a node of a size. */
export const ringWidth = (size: number): number => Math.max(2.2, size * 0.13);

const START = -Math.PI / 2;

export function paintRing(
  pen: CanvasRenderingContext2D,
  { x, y, size }: { x: number; y: number; size: number },
  arcs: Arcs,
  { track, colour }: { track: string; colour: string },
): void {
  const width = ringWidth(size);
  const radius = size / 2 - width / 2;
  const alpha = pen.globalAlpha;
  pen.lineCap = "butt";
  pen.lineWidth = width;
  const arc = (from: number, to: number, share: number, style: string) => {
    if (to <= from) return;
    pen.globalAlpha = alpha * share;
    pen.strokeStyle = style;
    pen.beginPath();
    pen.arc(x, y, radius, START + 2 * Math.PI * from, START + 2 * Math.PI * to);
    pen.stroke();
  };
  arc(0, 1, 1, track);
  arc(0, arcs.pale, 0.4, colour);
  arc(arcs.pale, arcs.full, 1, colour);
  pen.globalAlpha = alpha;
  if (arcs.isDouble) {
    // a second line, not a second colour: it is seen without colours as well
    pen.lineWidth = 1.4;
    pen.strokeStyle = colour;
    pen.beginPath();
    pen.arc(x, y, size / 2 + 2.2, 0, 2 * Math.PI);
    pen.stroke();
  }
  pen.lineCap = "round";
}
