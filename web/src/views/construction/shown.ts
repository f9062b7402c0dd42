/** Which units of each layer are drawn: those that most of the tokens' evidence flows through. */
import { PIXEL, type Units } from "../../data/units";
import { edgesOf, typicalSize, type Couplings, type Reading } from "../../data/couplings";

/** Flow from some units of the last layer down to every unit: shares multiplied along each path. */
export function flowDown(
  couplings: Couplings,
  units: Units,
  from: readonly number[],
  reading: Reading,
): Float64Array {
  const flow = new Float64Array(units.count);
  for (const unit of from) flow[unit] = 1;
  for (let layer = units.layers.length - 1; layer > 0; layer--) {
    const span = units.layers[layer];
    if (!span) continue;
    for (let unit = span.first; unit < span.first + span.count; unit++) {
      const own = flow[unit] ?? 0;
      if (own === 0) continue;
      for (const edge of edgesOf(couplings.into, unit)) {
        const source = couplings.source[edge] ?? PIXEL;
        if (source < units.count) {
          flow[source] = (flow[source] ?? 0) + own * typicalSize(couplings, edge, reading);
        }
      }
    }
  }
  return flow;
}

/** For each layer the units drawn: in turn the strongest of each flow, until there are enough. */
export function chooseUnits(
  flows: readonly Float64Array[],
  units: Units,
  most: number,
): number[][] {
  return units.layers.map(({ first, count }) => {
    const own = Array.from({ length: count }, (_, k) => first + k);
    if (count <= most) return own;
    const ranked = flows.map((flow) =>
      own.filter((unit) => (flow[unit] ?? 0) > 0).sort((a, b) => (flow[b] ?? 0) - (flow[a] ?? 0)),
    );
    const chosen = new Set<number>();
    // in turns, so that a token with much flow does not crowd out one with little
    for (let rank = 0; chosen.size < most && rank < count; rank++) {
      for (const list of ranked) {
        const unit = list[rank];
        if (unit !== undefined && chosen.size < most) chosen.add(unit);
      }
    }
    return [...chosen].sort((a, b) => a - b);
  });
}

/** Flow of everything and of each token's contrast; what `chooseUnits` takes. */
export function flows(couplings: Couplings, units: Units, nTokens: number): Float64Array[] {
  const last = units.layers.at(-1);
  if (!last) return [];
  const outputs = Array.from({ length: last.count }, (_, k) => last.first + k);
  const found = couplings.fields.contrast
    ? Array.from({ length: Math.min(nTokens, last.count) }, (_, token) =>
        flowDown(couplings, units, [last.first + token], { weights: "contrast", token }),
      )
    : [];
  found.push(flowDown(couplings, units, outputs, { weights: "total", token: null }));
  return found;
}
