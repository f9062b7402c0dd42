/** Lets nodes glide to the places that a selection gives them; over time they never move. */
import type { Signal } from "@preact/signals";
import { prefersStill } from "../../state/play";
import type { Layout } from "./layout";

const EASE = 260;

export interface Way {
  from: Layout | null;
  share: number;
}

/** What is to be told of each new layout; it moves `way` from the last one to it. */
export function glider(way: Signal<Way>): (to: Layout) => void {
  let before: Layout | null = null;
  return (to) => {
    const from = before;
    before = to;
    // a new size of the window is not a selection: nodes would swim after every pull at its edge
    const isSelection =
      from !== null &&
      from.width === to.width &&
      from.height === to.height &&
      from.guestsFrom !== to.guestsFrom;
    if (!isSelection || prefersStill()) {
      way.value = { from: null, share: 1 };
      return;
    }
    const start = performance.now();
    way.value = { from, share: 0 };
    const tick = (now: number) => {
      if (before !== to) return;
      // clamped: the first frame may have begun before the clock was read
      const t = Math.max(0, Math.min(1, (now - start) / EASE));
      way.value = { from, share: t * t * (3 - 2 * t) };
      if (t < 1) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  };
}
