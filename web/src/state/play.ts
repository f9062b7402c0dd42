/** The film: moves the position along the recorded steps, evenly in the logarithm of the step. */
import { effect } from "@preact/signals";
import { positionOf, stepAt } from "./state";
import type { Look } from "./store";

/** Seconds that the whole film takes. */
export const FILM = 14;

export const prefersStill = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Play while `store.playing` says so; return what stops it for good. */
export function player(store: Look): () => void {
  let frame = 0;
  const stop = effect(() => {
    cancelAnimationFrame(frame);
    if (!store.playing.value) return;
    let before: number | null = null;
    if (store.position.peek() >= store.steps.length - 1) store.seek(0);
    let log = Math.log1p(stepAt(store.position.peek(), store.steps));
    const tick = (now: number) => {
      // read at each frame: a run that grows lengthens the film while it plays
      const end = Math.log1p(store.steps.at(-1) ?? 0);
      // by the clock and not by frames, so that a slow machine shows fewer and not a longer film
      log = Math.min(end, log + (((now - (before ?? now)) / 1000) * end) / FILM);
      before = now;
      const position = positionOf(Math.expm1(log), store.steps);
      const isOver = log >= end - 1e-9;
      store.seek(
        // without motion where that is asked for: from recorded step to recorded step
        isOver ? store.steps.length - 1 : prefersStill() ? Math.floor(position) : position,
      );
      if (isOver) store.playing.value = false;
      else frame = requestAnimationFrame(tick);
    };
    frame = requestAnimationFrame(tick);
  });
  return () => {
    cancelAnimationFrame(frame);
    stop();
  };
}

/** Play, or stop at the recorded step that is nearest. */
export function togglePlay(store: Look): void {
  store.playing.value = !store.playing.value;
  if (!store.playing.value) store.seek(Math.round(store.position.value));
}
