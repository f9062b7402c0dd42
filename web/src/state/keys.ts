/** What the keys do. */
import { togglePlay } from "./play";
import type { Look } from "./store";

export interface KeyTargets {
  /** Keys of the views, by the number that leads to each. */
  views: readonly string[];
  search(): void;
  help(): void;
  /** Close what lies over the page; false if nothing does. */
  close(): boolean;
}

const BIG = 5;

/** Listen to the keyboard; return what stops listening. */
export function listen(store: Look, targets: KeyTargets): () => void {
  const on = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === "Escape") {
      if (!targets.close()) store.clear();
      return;
    }
    if (isTyping(event.target)) return;
    if (act(event, store, targets)) event.preventDefault();
  };
  addEventListener("keydown", on);
  return () => removeEventListener("keydown", on);
}

function act(event: KeyboardEvent, store: Look, targets: KeyTargets): boolean {
  const step = store.state.value.step;
  const move = (to: number) => {
    store.playing.value = false;
    store.seek(to);
  };
  const view = targets.views[Number(event.key) - 1];
  if (view !== undefined) store.set({ view });
  else if (event.key === " " && !isButton(event.target)) togglePlay(store);
  else if (event.key === "ArrowRight") move(step + (event.shiftKey ? BIG : 1));
  else if (event.key === "ArrowLeft") move(step - (event.shiftKey ? BIG : 1));
  else if (event.key === "Home") move(0);
  else if (event.key === "End") move(store.steps.length - 1);
  else if (event.key === "/") targets.search();
  else if (event.key === "?") targets.help();
  else return false;
  return true;
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
const isButton = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && /^(BUTTON|A|SUMMARY)$/.test(target.tagName);
