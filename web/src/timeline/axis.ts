/** The axis of steps: logarithmic, so that the first hundred have as much room as the last thousand. */
import { positionOf } from "../state/state";

export interface Axis {
  x(step: number): number;
  /** Position among the recorded steps at a place on the axis. */
  position(x: number): number;
  ticks: number[];
}

export function axis(steps: readonly number[], left: number, right: number): Axis {
  const last = Math.max(1, steps.at(-1) ?? 1);
  const end = Math.log1p(last);
  const x = (step: number) => left + ((right - left) * Math.log1p(Math.max(0, step))) / end;
  return {
    x,
    position: (place) => {
      const share = Math.max(0, Math.min(1, (place - left) / Math.max(1, right - left)));
      return positionOf(Math.expm1(share * end), steps);
    },
    ticks: ticks(last, right - left),
  };
}

const ROUND = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500];
const APART = 42;

/** Round steps that have room for their numbers. */
export function ticks(last: number, width: number): number[] {
  const wanted = [...ROUND, ...[1, 2, 5, 10, 20, 50, 100].map((k) => k * 1000)].filter(
    (s) => s <= last,
  );
  const found: number[] = [];
  for (const step of [...wanted, last]) {
    const place = (width * Math.log1p(step)) / Math.log1p(last);
    const before = found.at(-1);
    const room =
      before === undefined ? Infinity : place - (width * Math.log1p(before)) / Math.log1p(last);
    if (room >= APART) found.push(step);
    // the last step is always told; a round one too near to it gives way
    else if (step === last) found[found.length - 1] = last;
  }
  return found;
}
