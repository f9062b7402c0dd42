/** What the construction view says: its title at a step, and its hovers. */
import type { Bundle } from "../../data/bundle";
import { isBeyond } from "../../data/facts";
import { listed } from "../../data/words";
import { show } from "../../draw/canvas";
import type { Tip } from "../../shell/app";
import type { State } from "../../state/state";
import { neighbours } from "../../data/couplings";
import type { Model } from "./model";
import { counted, sizeIn } from "./scene";

export function titleOf(bundle: Bundle, model: Model, state: State): string {
  const { units, manifest } = bundle;
  const at = `At step ${(manifest.steps[state.step] ?? 0).toLocaleString("en")},`;
  const token = state.token === null ? null : (manifest.tokens[state.token] ?? null);
  const last = manifest.layers.at(-1);
  const chosen = state.unit ?? (state.token !== null && last ? last.first + state.token : null);
  if (chosen !== null) {
    const parents = neighbours(
      model.couplings,
      chosen,
      "down",
      state.step,
      model.reading,
      state.unit !== null && token !== null ? 2 : 3,
    );
    const name = state.unit === null ? (token ?? "") : units.name(chosen);
    const said = parents.map(
      ({ unit, weight }) => `${units.name(unit)} (${weight > 0 ? "+" : ""}${show(weight)})`,
    );
    if (said.length === 0) return `${at} nothing known couples into ${name}`;
    return state.unit === null || token === null
      ? `${at} ${name} is built mostly from ${listed(said)}`
      : `${at} ${name} discriminates ${token} mostly through ${listed(said)}`;
  }
  return overview(bundle, model, state.step, at);
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
  const { couplings, scene } = model;
  const ends = [couplings.source[edge] ?? -1, couplings.target[edge] ?? -1] as const;
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
    title: `${bundle.units.name(ends[0])} → ${bundle.units.name(ends[1])}`,
    rows,
    note: (token === null ? total : (contrast ?? total)).entry.definition,
    source: (token === null ? total : (contrast ?? total)).entry.source,
  };
}

/** A hover as one sentence, for those who hear it. */
export const spoken = ({ title, rows = [], note = "" }: Tip): string =>
  [title, ...rows.map(([name, value]) => `${name} ${value}`), note].filter(Boolean).join(", ");
