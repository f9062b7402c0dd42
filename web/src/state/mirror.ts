/** Another run, looked at in step with this one: the same selection, by name, at the nearest step. */
import { computed, type ReadonlySignal, type Signal } from "@preact/signals";
import type { Bundle } from "../data/bundle";
import type { RunInfo } from "../data/manifest";
import { edgeCode, endsOf, positionOf, stepAt, type Names, type State } from "./state";
import { namesOf, type Look } from "./store";

/** Selected things of one run, by the names that another has too. */
export type Selection = Pick<State, "unit" | "token" | "exemplar" | "edge" | "layer">;

/** The same selection in another run; what it does not have is not selected there. */
export function translate(own: Selection, from: Names, to: Names, isKin: boolean): Selection {
  const place = (index: number | null, a: readonly (string | number)[], b: typeof a) => {
    const found = index === null ? -1 : b.indexOf(a[index] ?? "");
    return found < 0 ? null : found;
  };
  // only between kin: elsewhere the same name is another detector
  const unit = (index: number | null) =>
    index === null || !isKin ? null : to.endIndex(from.unitName(index));
  const [source, target] = own.edge === null ? [null, null] : endsOf(own.edge).map(unit);
  return {
    unit: unit(own.unit),
    token: place(own.token, from.tokens, to.tokens),
    layer: place(own.layer, from.layers, to.layers),
    exemplar: isKin ? place(own.exemplar, from.exemplars, to.exemplars) : null,
    edge: source == null || target == null ? null : edgeCode(source, target),
  };
}

/** Step at which two runs of one beginning part; null where they have none in common. */
export function partedAt(a: RunInfo, b: RunInfo): number | null {
  if (a.parent?.name === b.name) return a.parent.step;
  if (b.parent?.name === a.name) return b.parent.step;
  const isSame = a.parent !== null && a.parent.name === b.parent?.name;
  return isSame ? Math.min(a.parent?.step ?? 0, b.parent?.step ?? 0) : null;
}

/** Whether units of the same name began as the same unit, from exemplars of the same task. */
export const areKin = (a: RunInfo, b: RunInfo): boolean =>
  partedAt(a, b) !== null || (a.task === b.task && a.seed !== null && a.seed === b.seed);

export class Mirror implements Look {
  readonly bundle: ReadonlySignal<Bundle>;
  readonly state: ReadonlySignal<State>;
  readonly position: ReadonlySignal<number>;
  readonly still: ReadonlySignal<State>;
  readonly token: ReadonlySignal<number | null>;
  readonly playing: Signal<boolean>;
  private readonly names: ReadonlySignal<Names>;
  private readonly ownNames: ReadonlySignal<Names>;

  constructor(
    private readonly own: Look,
    readonly other: Bundle,
  ) {
    this.bundle = computed(() => other);
    this.playing = own.playing;
    this.names = computed(() => namesOf(other));
    this.ownNames = computed(() => namesOf(own.bundle.value));
    this.position = computed(() => this.at(own.state.value.beside, own.position.value));
    this.state = computed(() => this.seen(own.state.value));
    this.still = computed(() => this.seen(own.still.value));
    this.token = computed(() => this.state.value.token);
  }

  get steps(): readonly number[] {
    return this.other.manifest.steps;
  }

  /** Selections made beside are made in this run, by name. */
  set(change: Partial<State>): void {
    const all = { unit: null, token: null, exemplar: null, edge: null, layer: null, ...change };
    const said = translate(all, this.names.value, this.ownNames.value, this.isKin());
    const kept = Object.entries(said).filter(
      // what the other run does not have leaves this one's selection as it is; clearing is
      // passed on
      ([key, value]) => key in change && (value !== null || change[key as keyof State] === null),
    );
    this.own.set(Object.fromEntries(kept));
  }

  seek(position: number): void {
    this.own.set({ beside: this.steps[Math.round(position)] ?? null });
  }

  clear(): void {
    this.own.clear();
  }

  private isKin(): boolean {
    return areKin(this.own.bundle.value.manifest.run, this.other.manifest.run);
  }

  /** Position here of a position there; a recorded step is shown at the nearest recorded one. */
  private at(beside: number | null, position: number): number {
    if (beside !== null) return Math.round(positionOf(beside, this.steps));
    const found = positionOf(stepAt(position, this.own.steps), this.steps);
    // halfway between its recorded steps a run would show what it never was
    return Number.isInteger(position) ? Math.round(found) : found;
  }

  private seen(state: State): State {
    const found = translate(state, this.ownNames.value, this.names.value, this.isKin());
    return { ...state, ...found, step: this.at(state.beside, state.step) };
  }
}
