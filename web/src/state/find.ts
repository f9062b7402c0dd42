/** What a search finds: units, tokens, layers and recorded steps. */
import type { Bundle } from "../data/bundle";
import { positionOf, type State } from "./state";

export interface Found {
  name: string;
  kind: "unit" | "token" | "layer" | "step";
  change: Partial<State>;
}

const MOST = 12;

export function find(text: string, bundle: Bundle): Found[] {
  const asked = text.trim().toLowerCase();
  const found: Found[] = [];
  const { steps, tokens } = bundle.manifest;
  tokens.forEach((name, token) => {
    if (name.toLowerCase().includes(asked))
      found.push({ name, kind: "token", change: { token, unit: null } });
  });
  if (/^(step )?\d+$/.test(asked) && steps.length > 0) {
    const step = Math.round(positionOf(Number(asked.replace("step ", "")), steps));
    found.push({ name: `step ${steps[step] ?? 0}`, kind: "step", change: { step } });
  }
  bundle.layersAll().forEach((name, layer) => {
    if (name.toLowerCase().startsWith(asked)) {
      found.push({ name, kind: "layer", change: { layer, view: "detectors" } });
    }
  });
  const squeezed = asked.replaceAll(/[\s:.]+/g, ":");
  for (let unit = 0; unit < bundle.units.count && found.length < MOST; unit++) {
    const name = bundle.units.name(unit);
    if (name.toLowerCase().startsWith(squeezed))
      found.push({ name, kind: "unit", change: { unit } });
  }
  const exact = bundle.units.index(squeezed);
  if (exact !== null)
    found.unshift({ name: bundle.units.name(exact), kind: "unit", change: { unit: exact } });
  return found
    .filter((one, k) => found.findIndex(({ name }) => name === one.name) === k)
    .slice(0, MOST);
}
