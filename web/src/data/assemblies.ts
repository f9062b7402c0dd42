/** Assemblies: units that work together more than chance, with names that last over steps. */
import type { Bundle } from "./bundle";
import { isBeyond, preferredToken } from "./facts";

/** Name of a unit's assembly at a recorded step; null where it is in none, or none are known. */
export function assemblyAt(bundle: Bundle, unit: number, step: number): number | null {
  const name = bundle.array("assembly")?.at(step, unit) ?? Number.NaN;
  return name >= 0 ? name : null;
}

/** What an assembly is made of at a step, in words. */
export function describe(bundle: Bundle, group: number, step: number): string {
  const { units, manifest } = bundle;
  const layers = new Map<string, number>();
  const tokens = new Map<number, number>();
  let size = 0;
  for (let unit = 0; unit < units.count; unit++) {
    if (assemblyAt(bundle, unit, step) !== group) continue;
    size++;
    const layer = manifest.layers[units.layer(unit)]?.name ?? "";
    layers.set(layer, (layers.get(layer) ?? 0) + 1);
    const token = preferredToken(bundle, unit, step);
    if (token !== null && isBeyond(bundle, unit, step))
      tokens.set(token, (tokens.get(token) ?? 0) + 1);
  }
  const names = [...layers.keys()];
  const where = names.length > 1 ? `${names[0] ?? ""} to ${names.at(-1) ?? ""}` : (names[0] ?? "");
  const [first] = [...tokens].sort((a, b) => b[1] - a[1]);
  const most = first
    ? `; ${first[1]} of them respond most to ${manifest.tokens[first[0]] ?? ""}`
    : "";
  return `A${group}: ${size} units, ${where}${most}`;
}
