/** What every view is given: the store, the colours of the day, and the hover. */
import { computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Bundle } from "../data/bundle";
import type { Progress } from "../data/live";
import type { Source } from "../data/source";
import { palette, type Palette } from "../draw/colour";
import type { Look } from "../state/store";
import type { View } from "./view";

export interface Tip {
  title: string;
  rows?: readonly (readonly [string, string])[];
  note?: string;
  source?: string;
}

export class App {
  readonly palette: ReadonlySignal<Palette>;
  readonly tip: Signal<{ x: number; y: number; tip: Tip } | null>;
  /** The run that this one is compared with, looked at in step with it. */
  readonly beside = signal<App | null>(null);
  /** What the run's command is doing, while it is followed. */
  readonly live = signal<Progress | null>(null);
  /** What a reader of the page should know of the page itself. */
  readonly notice = signal("");
  /** The two tokens of which it is asked when they were told apart; null: the hardest two. */
  readonly pair = signal<readonly [number, number] | null>(null);
  private readonly systemDark = signal(false);

  constructor(
    readonly store: Look,
    readonly views: readonly View[],
    readonly source: Source | null = null,
    beside?: App,
  ) {
    this.tip = beside?.tip ?? signal(null);
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

const palettes = new Map<string, Palette>();

/** The same object for the same colours, so that nothing is drawn again for nothing. */
function cached(isDark: boolean, count: number, given: readonly string[]): Palette {
  const key = `${isDark} ${count} ${given.join()}`;
  const known = palettes.get(key) ?? palette(isDark, count, given);
  palettes.set(key, known);
  return known;
}

const Context = createContext<App | null>(null);
export const AppProvider = Context.Provider;

export function useApp(): App {
  const app = useContext(Context);
  if (!app) throw new Error("expected a component inside the page");
  return app;
}
