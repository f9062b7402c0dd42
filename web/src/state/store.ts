/** The page's one state, kept in its address; and where the film is just now. */
import { batch, computed, effect, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import type { Bundle } from "../data/bundle";
import { formatState, initialState, isPlace, parseState, type Names, type State } from "./state";

/** Milliseconds without a move before the slider's step is written into the address. */
const SETTLE = 180;

/** What a view sees of the store. */
export interface Look {
  readonly bundle: ReadonlySignal<Bundle>;
  readonly state: ReadonlySignal<State>;
  /** Position among the recorded steps, also between two of them while the film plays. */
  readonly position: ReadonlySignal<number>;
  /** The state as words and tables show it: while the slider moves, its step follows calmly. */
  readonly still: ReadonlySignal<State>;
  readonly token: ReadonlySignal<number | null>;
  readonly playing: Signal<boolean>;
  readonly steps: readonly number[];
  set(change: Partial<State>): void;
  seek(position: number): void;
  clear(): void;
}

export class Store implements Look {
  readonly bundle;
  readonly state;
  readonly position;
  readonly still: ReadonlySignal<State>;
  readonly token: ReadonlySignal<number | null>;
  readonly playing = signal(false);
  private readonly calmStep;
  private names: Names;
  private timer: number | undefined;

  constructor(
    bundle: Bundle,
    private readonly views: readonly string[],
  ) {
    this.names = namesOf(bundle, views);
    this.bundle = signal(bundle);
    this.state = signal(parseState(location.hash, this.names));
    this.position = signal(this.state.value.step);
    this.token = computed(() => this.state.value.token);
    this.calmStep = signal(this.state.value.step);
    this.still = stillOf(this.state, this.calmStep);
    follow(this.state, this.calmStep);
    addEventListener("popstate", () => this.read());
    addEventListener("hashchange", () => this.read());
  }

  get steps(): readonly number[] {
    return this.names.steps;
  }

  /** Change some of the state; a new place enters the history, a new step does not. */
  set(change: Partial<State>): void {
    const before = this.state.value;
    const after = { ...before, ...change };
    if ((Object.keys(change) as (keyof State)[]).every((key) => before[key] === after[key])) return;
    batch(() => {
      this.state.value = after;
      if (change.step !== undefined && Math.round(this.position.value) !== change.step) {
        this.position.value = change.step;
      }
    });
    // the slider passes through many steps, which would bury the way back
    if (isPlace(before, after)) this.write("pushState");
    else this.writeSoon();
  }

  /** Move the film; the state's step is the recorded one nearest to it. */
  seek(position: number): void {
    const last = Math.max(0, this.steps.length - 1);
    batch(() => {
      this.position.value = Math.max(0, Math.min(last, position));
      this.set({ step: Math.round(this.position.value) });
    });
  }

  /** Take a newer bundle of the same run; who looked at its last step still does. */
  replace(bundle: Bundle): void {
    // asked before the names change, which say what the last step is
    const atEnd = this.state.value.step >= this.steps.length - 1;
    this.names = namesOf(bundle, this.views);
    this.bundle.value = bundle;
    if (atEnd && !this.playing.value) this.seek(this.steps.length - 1);
  }

  clear(): void {
    const { unit, token, exemplar, edge } = initialState(this.names);
    this.set({ unit, token, exemplar, edge });
  }

  private read(): void {
    if (location.hash === formatState(this.state.value, this.names)) return;
    const state = parseState(location.hash, this.names);
    this.state.value = state;
    // a position between two steps is kept where the address names the nearer one
    if (Math.round(this.position.value) !== state.step) this.position.value = state.step;
  }

  private writeSoon(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.write("replaceState"), SETTLE);
  }

  private write(how: "pushState" | "replaceState"): void {
    clearTimeout(this.timer);
    try {
      history[how](null, "", formatState(this.state.value, this.names));
    } catch {
      // A frame without an address of its own, as in a notebook: the state lives without one.
    }
  }
}

/** At most so often, in milliseconds, do words follow the moving slider. */
const CALM = 90;

/** Let one step follow the state's, not more often than is calm. */
function follow(state: ReadonlySignal<State>, calm: { value: number }): void {
  let timer: number | undefined;
  let last = 0;
  effect(() => {
    const { step } = state.value;
    clearTimeout(timer);
    const wait = CALM - (performance.now() - last);
    const now = () => {
      last = performance.now();
      calm.value = step;
    };
    if (wait <= 0) now();
    else timer = window.setTimeout(now, wait);
  });
}

/** The state with the calm step; the same object while neither has changed. */
function stillOf(state: ReadonlySignal<State>, calm: ReadonlySignal<number>) {
  let kept = state.peek();
  return computed(() => {
    const next = { ...state.value, step: calm.value };
    // the same object as long as nothing differs, or every reader would run at every frame
    const keys = Object.keys(next) as (keyof State)[];
    if (keys.some((key) => next[key] !== kept[key])) kept = next;
    return kept;
  });
}

export function namesOf(bundle: Bundle, views: readonly string[] = []): Names {
  const ids = bundle.array("exemplar_id");
  return {
    views,
    steps: bundle.manifest.steps,
    layers: bundle.layersAll(),
    tokens: bundle.manifest.tokens,
    unitIndex: (name) => bundle.units.index(name),
    endIndex: (name) => bundle.units.end(name),
    unitName: (unit) => bundle.units.name(unit),
    exemplars: ids ? Array.from(ids.values()) : [],
  };
}
