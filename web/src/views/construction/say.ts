/** What the construction view says: its title at a step, and its hovers. */
import type { Bundle } from "../../data/bundle";
import { couplingsOf, edgeBetween, neighbours } from "../../data/couplings";
import { isBeyond } from "../../data/facts";
import { edgeGainOf, gainLinksOf, INHERITS, isByGain, kindAt } from "../../data/gains";
import { listed } from "../../data/words";
import { show } from "../../draw/canvas";
import type { Tip } from "../../shell/app";
import type { State } from "../../state/state";
import type { Model } from "./model";
import { counted, sizeIn } from "./scene";

export function titleOf(bundle: Bundle, model: Model, state: State): string {
  const { units, manifest } = bundle;
  const at = `At step ${(manifest.steps[state.step] ?? 0).toLocaleString("en")},`;
  const token = state.token === null ? null : (manifest.tokens[state.token] ?? null);
  const last = manifest.layers.at(-1);
  const chosen = state.unit ?? (state.token !== null && last ? last.first + state.token : null);
  if (chosen === null && isByGain(model.reading)) return constructionTitle(bundle, state);
  if (chosen !== null) {
    const isGain = isByGain(model.reading);
    const parents = neighbours(
      model.links,
      chosen,
      "down",
      state.step,
      model.reading,
      state.unit !== null && token !== null ? 2 : 3,
    );
    const name = state.unit === null ? (token ?? "") : units.name(chosen);
    if (isGain && kindAt(bundle, chosen, state.step) === INHERITS)
      return `${at} ${name} inherits: its recombinations are as selective`;
    const said = parents.map(
      ({ unit, weight }) => `${units.name(unit)} (${weight > 0 ? "+" : ""}${show(weight)})`,
    );
    if (said.length === 0) return `${at} nothing known couples into ${name}`;
    if (isGain) return `${at} ${name} gains most through ${listed(said)}`;
    return state.unit === null || token === null
      ? `${at} ${name} is built mostly from ${listed(said)}`
      : `${at} ${name} discriminates ${token} mostly through ${listed(said)}`;
  }
  return overview(bundle, model, state.step, at);
}

function constructionTitle(bundle: Bundle, { layer }: Pick<State, "layer">): string {
  const name = layer ? bundle.layersAll()[layer] : undefined;
  if (name !== undefined) return `What ${name} constructs, out of what, and what is built on it`;
  return "What this network constructs: where, when and out of what";
}

function overview(bundle: Bundle, model: Model, step: number, at: string): string {
  const shown = model.layout.nodes.filter(
    ({ column }) => column > 0 && column < model.layout.columns.length - 1,
  );
  const beyond = shown.filter(({ unit }) => isBeyond(bundle, unit, step) === true).length;
  const isKnown = shown.some(({ unit }) => isBeyond(bundle, unit, step) !== null);
  const accuracy = bundle.array("accuracy")?.at(step, 1) ?? Number.NaN;
  const right = Number.isFinite(accuracy)
    ? `; ${Math.round(accuracy * 100)}% of the probe is classified correctly`
    : "";
  if (!isKnown)
    return `${at} ${counted(model.scene, step).drawn} couplings lead from pixels to tokens${right}`;
  return `${at} ${beyond} of these ${shown.length} detectors discriminate tokens${right}`;
}

export function edgeTip(bundle: Bundle, model: Model, edge: number, step: number): Tip {
  const { links } = model;
  const ends = [links.source[edge] ?? -1, links.target[edge] ?? -1] as const;
  const title = `${bundle.units.name(ends[0])} → ${bundle.units.name(ends[1])}`;
  return { title, ...(isByGain(model.reading) ? gainTip : shareTip)(bundle, model, ends, step) };
}

type Ends = readonly [number, number];
type Told = Omit<Tip, "title">;

function gainTip(bundle: Bundle, _model: Model, ends: Ends, step: number): Told {
  const links = gainLinksOf(bundle);
  const edge = links && edgeBetween(links, ...ends);
  if (!links || edge === null) return {};
  const own = edgeGainOf(links, bundle, edge, step);
  const { definition, source } = links.fields.gain.entry;
  return {
    rows: [
      ["gain through it", show(own.gain, 3)],
      ["mean of 19 parents of like amplitude", show(own.matched, 3)],
      ["p among them", show(own.p)],
      ["as at step", show(own.step, 0)],
    ],
    note: definition,
    source,
  };
}

function shareTip(bundle: Bundle, model: Model, ends: Ends, step: number): Told {
  const couplings = couplingsOf(bundle);
  const edge = couplings && edgeBetween(couplings, ...ends);
  if (!couplings || edge === null) return {};
  const { scene } = model;
  const { total, signal, contrast } = couplings.fields;
  const rows: [string, string][] = [
    ["coupling (total share)", show(total.at(step, edge), 3)],
    ["of it between tokens", show(signal?.at(step, edge), 3)],
  ];
  const { token } = model.reading;
  if (token !== null) {
    rows.push([
      `contrast, ${bundle.manifest.tokens[token] ?? ""}`,
      show(contrast?.at(step, edge, token), 3),
    ]);
  }
  const gap = bundle.units.layer(ends[1]);
  const chance = sizeIn(scene.chance, scene, gap, step);
  rows.push(["null of this layer", chance > 0 ? show(chance, 3) : "–"]);
  return {
    rows,
    note: (token === null ? total : (contrast ?? total)).entry.definition,
    source: (token === null ? total : (contrast ?? total)).entry.source,
  };
}

/** A hover as one sentence, for those who hear it. */
export const spoken = ({ title, rows = [], note = "" }: Tip): string =>
  [title, ...rows.map(([name, value]) => `${name} ${value}`), note].filter(Boolean).join(", ");
