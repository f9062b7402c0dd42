/** What every view is given: the store, the colours of the day, and the hover. */
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Bundle } from "../data/bundle";
import { palette, type Palette } from "../draw/colour";
import type { Store } from "../state/store";

export interface Tip {
  title: string;
  rows?: readonly (readonly [string, string])[];
  note?: string;
  source?: string;
}

export class App {
  readonly palette: ReadonlySignal<Palette>;
  readonly tip = signal<{ x: number; y: number; tip: Tip } | null>(null);
  /** What the run is doing, while it is watched live. */
  readonly live = signal<{ state: string; step: number; of: number } | null>(null);
  private readonly systemDark = signal(false);

  constructor(readonly store: Store) {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    this.systemDark.value = dark.matches;
    dark.addEventListener("change", () => (this.systemDark.value = dark.matches));
    this.palette = computed(() => {
      const { tokens, tokenColours } = store.bundle.value.manifest;
      const theme = store.state.value.theme ?? (this.systemDark.value ? "dark" : "light");
      return cached(theme === "dark", tokens.length, tokenColours);
    });
  }

  get bundle(): Bundle {
    return this.store.bundle.value;
  }
}

let last: { key: string; palette: Palette } | null = null;

/** The same object for the same colours, so that nothing is drawn again for nothing. */
function cached(isDark: boolean, count: number, given: readonly string[]): Palette {
  const key = `${isDark} ${count} ${given.join()}`;
  if (last?.key !== key) last = { key, palette: palette(isDark, count, given) };
  return last.palette;
}

const Context = createContext<App | null>(null);
export const AppProvider = Context.Provider;

export function useApp(): App {
  const app = useContext(Context);
  if (!app) throw new Error("expected a component inside the page");
  return app;
}
