/** What a hover says of a unit, in whichever view it is seen. */
import type { Bundle } from "../data/bundle";
import { isBeyond, isDead, preferredToken, tokenSignal } from "../data/facts";
import { COMBINES, gainOf, SELECTS } from "../data/gains";
import { show } from "../draw/canvas";
import type { Tip } from "./app";

export function unitTip(bundle: Bundle, unit: number, step: number): Tip {
  const { units, manifest } = bundle;
  if (units.isPixel(unit)) {
    return { title: units.name(unit), note: "A colour channel of the image itself." };
  }
  const token = preferredToken(bundle, unit, step);
  const signal = tokenSignal(bundle, unit, step);
  const rows: [string, string][] = [
    ["responds most to", token === null ? "–" : (manifest.tokens[token] ?? "–")],
    ["token signal", `${show(signal.value)} (null ${show(signal.null)})`],
    ["mean activation", show(bundle.array("unit_mean")?.at(step, unit))],
    ...gainRows(bundle, unit, step),
  ];
  const beyond = isBeyond(bundle, unit, step);
  const state = isDead(bundle, unit, step)
    ? "Dead: nothing in the probe excites it at this step."
    : beyond === false
      ? "Grey: does not discriminate tokens beyond its null at this step."
      : "Click to see what it is built from and what uses it.";
  return { title: units.name(unit), rows, note: state };
}

/** What it inherits and adds, where that was observed. */
function gainRows(bundle: Bundle, unit: number, step: number): [string, string][] {
  const own = gainOf(bundle, unit, step);
  if (!own || own.kind < 0) return [];
  const does = own.kind === COMBINES ? "combines" : own.kind === SELECTS ? "selects" : "inherits";
  return [
    ["inherited selectivity", show(own.inherited)],
    ["gain over recombinations", show(own.gain)],
    [`as at step ${show(own.step, 0)}, it`, does],
  ];
}
