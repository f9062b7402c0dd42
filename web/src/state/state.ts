/** Everything one looks at, as one object and as the fragment of the page's address. */
import type { Weights } from "../data/couplings";

export const PANELS = ["apart", "tree", "likeness", "clones", "lives"] as const;
export type Panel = (typeof PANELS)[number];
export type Theme = "light" | "dark";

/** Indices, not names: of the recorded step, the layer (pixels are 0), the unit, token, exemplar. */
export interface State {
  /** Key of the view that is looked at. */
  view: string;
  step: number;
  layer: number | null;
  unit: number | null;
  token: number | null;
  exemplar: number | null;
  /** A coupling, by its two ends: see `edgeCode`. */
  edge: number | null;
  /** The other recorded step of the compare view. */
  compare: number | null;
  /** Whether the compare view shows two steps, or this run and the one beside it; null: that if any. */
  against: "steps" | "run" | null;
  /** Recorded step of the run beside, as a step; null: the one nearest to this run's. */
  beside: number | null;
  /** What the compare view shows twice. */
  pair: "categories" | "construction";
  weights: Weights;
  /** What the categories view shows beside its map. */
  panel: Panel;
  theme: Theme | null;
}

/** The names that the state's indices stand for. */
export interface Names {
  /** Keys of the views, the first one first looked at. */
  views: readonly string[];
  steps: readonly number[];
  layers: readonly string[];
  tokens: readonly string[];
  /** Index of a unit's name, null if there is no such unit, and back. */
  unitIndex(name: string): number | null;
  unitName(unit: number): string;
  /** Like `unitIndex`, for ends of couplings: image channels too. */
  endIndex(name: string): number | null;
  exemplars: readonly number[];
}

export function initialState(names: Names): State {
  return {
    view: names.views[0] ?? "",
    step: Math.max(0, names.steps.length - 1),
    layer: null,
    unit: null,
    token: null,
    exemplar: null,
    edge: null,
    compare: null,
    against: null,
    beside: null,
    pair: "categories",
    weights: "gain",
    panel: "apart",
    theme: null,
  };
}

/** Read a fragment; what is unknown or impossible is dropped. */
export function parseState(fragment: string, names: Names): State {
  const said = new URLSearchParams(fragment.replace(/^#/, ""));
  const state = initialState(names);
  const one = <T extends string>(key: string, allowed: readonly T[]): T | null =>
    allowed.find((value) => value === said.get(key)) ?? null;
  const place = (key: string, values: readonly (string | number)[]): number | null => {
    const value = said.get(key);
    const found = value === null ? -1 : values.findIndex((v) => String(v) === value);
    return found < 0 ? null : found;
  };
  state.view = one("view", names.views) ?? state.view;
  state.pair = one("pair", ["categories", "construction"] as const) ?? state.pair;
  state.weights = one("weights", ["gain", "total", "signal", "contrast"] as const) ?? state.weights;
  state.panel = one("panel", PANELS) ?? state.panel;
  state.theme = one("theme", ["light", "dark"] as const);
  state.step =
    place("step", names.steps) ?? nearestStep(said.get("step"), names.steps) ?? state.step;
  state.compare = place("compare", names.steps);
  state.against = one("against", ["steps", "run"] as const);
  state.beside = stepSaid(said.get("beside"));
  state.layer = place("layer", names.layers);
  state.token = place("token", names.tokens);
  state.exemplar = place("exemplar", names.exemplars);
  const unit = said.get("unit");
  state.unit = unit === null ? null : names.unitIndex(unit);
  const ends = /^(.+:\d+)-(.+:\d+)$/.exec(said.get("edge") ?? "");
  const source = names.endIndex(ends?.[1] ?? "");
  const target = names.unitIndex(ends?.[2] ?? "");
  state.edge = source === null || target === null ? null : edgeCode(source, target);
  return state;
}

/** Write a state as a fragment; what is not set is not written. */
export function formatState(state: State, names: Names): string {
  const said = new URLSearchParams();
  const put = (key: string, value: string | number | null | undefined) => {
    if (value !== null && value !== undefined) said.set(key, String(value));
  };
  put("view", state.view);
  put("step", names.steps[state.step]);
  put("layer", state.layer === null ? null : names.layers[state.layer]);
  put("unit", state.unit === null ? null : names.unitName(state.unit));
  put("token", state.token === null ? null : names.tokens[state.token]);
  put("exemplar", state.exemplar === null ? null : names.exemplars[state.exemplar]);
  if (state.edge !== null) {
    put(
      "edge",
      endsOf(state.edge)
        .map((unit) => names.unitName(unit))
        .join("-"),
    );
  }
  put("compare", state.compare === null ? null : names.steps[state.compare]);
  put("against", state.against);
  put("beside", state.beside);
  if (state.pair !== "categories") put("pair", state.pair);
  if (state.weights !== "gain") put("weights", state.weights);
  if (state.panel !== "apart") put("panel", state.panel);
  put("theme", state.theme);
  return `#${said.toString()}`;
}

const ENDS = 65536;

/** One number for the two ends of a coupling, source and target, and back. */
export const edgeCode = (source: number, target: number): number => source * ENDS + target;
export const endsOf = (code: number): [number, number] => [Math.floor(code / ENDS), code % ENDS];

const stepSaid = (text: string | null): number | null =>
  text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;

/** Index of the recorded step nearest to a step that was asked for. */
function nearestStep(asked: string | null, steps: readonly number[]): number | null {
  const step = stepSaid(asked);
  return step === null || steps.length === 0 ? null : Math.round(positionOf(step, steps));
}

/** Where a step lies among the recorded ones: 2.5 is half-way, on a log scale, from 2 to 3. */
export function positionOf(step: number, steps: readonly number[]): number {
  const last = steps.length - 1;
  if (last < 0 || step <= (steps[0] ?? 0)) return 0;
  if (step >= (steps[last] ?? 0)) return last;
  let k = 0;
  while ((steps[k + 1] ?? Infinity) <= step) k++;
  const [a, b] = [Math.log1p(steps[k] ?? 0), Math.log1p(steps[k + 1] ?? 0)];
  return k + (Math.log1p(step) - a) / (b - a);
}

/** The step, not only a recorded one, at a position among the recorded ones. */
export function stepAt(position: number, steps: readonly number[]): number {
  const last = steps.length - 1;
  const k = Math.max(0, Math.min(last, Math.floor(position)));
  const a = Math.log1p(steps[k] ?? 0);
  const b = Math.log1p(steps[Math.min(last, k + 1)] ?? 0);
  return Math.expm1(a + (position - k) * (b - a));
}

/** Whether a change is a place to come back to, or only the slider's move. */
export function isPlace(before: State, after: State): boolean {
  return (
    [
      "view",
      "layer",
      "unit",
      "token",
      "exemplar",
      "edge",
      "pair",
      "against",
      "weights",
      "panel",
    ] as const
  ).some((key) => before[key] !== after[key]);
}
