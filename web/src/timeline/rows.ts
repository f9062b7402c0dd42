/** The rows of the onset raster: when each layer and each token was first there. */
import type { Bundle } from "../data/bundle";
import type { ArrayName } from "../data/names";
import { isSurelyApart, onsets } from "../data/facts";
import { interval, show } from "../draw/canvas";
import type { Tip } from "../shell/app";

export interface Row {
  name: string;
  token: number | null;
  /** Last step before, first step from which; NaN where it never came. */
  after: number;
  by: number;
  low: number;
  high: number;
  what: string;
  of: ArrayName;
}

export function rows(bundle: Bundle): Row[] {
  return [...tokenRows(bundle), ...layerRows(bundle)];
}

function tokenRows(bundle: Bundle): Row[] {
  const all = onsets(bundle);
  return bundle.manifest.tokens.flatMap((name, token) => {
    const own = all.find((one) => one.name === name && one.kind === "token");
    if (!own) return [];
    return [{ ...own, token, what: `${name} is classified better than chance`, of: "onset_by" }];
  });
}

function layerRows(bundle: Bundle): Row[] {
  const [after, by] = [bundle.array("things_after"), bundle.array("things_by")];
  const all = onsets(bundle);
  return bundle.layersAll().flatMap((name, k): Row[] => {
    if (after && by) {
      const low = bundle.array("things_confidence_after")?.at(k) ?? Number.NaN;
      const high = bundle.array("things_confidence_by")?.at(k) ?? Number.NaN;
      const what = `${name} separates every two tokens`;
      const isSure = isSurelyApart(bundle, k, bundle.manifest.steps.length - 1);
      const ends = isSure
        ? { after: after.at(k), by: by.at(k) }
        : { after: bundle.manifest.steps.at(-1) ?? 0, by: Number.POSITIVE_INFINITY };
      return [{ name, token: null, ...ends, low, high, what, of: "things_by" }];
    }
    const own = all.find((one) => one.name === name && /layer/.test(one.kind));
    return own
      ? [
          {
            ...own,
            token: null,
            what: `${name} carries token signal beyond its null`,
            of: "onset_by",
          },
        ]
      : [];
  });
}

export function rowTip(row: Row, definition: string): Tip {
  const confidence =
    Number.isFinite(row.low) && Number.isFinite(row.high)
      ? `${show(row.low, 0)} … ${show(row.high, 0)}`
      : "–";
  return {
    title: row.what,
    rows: [
      ["onset", interval(row.after, row.by)],
      ["confidence interval", confidence],
    ],
    note: definition,
  };
}
