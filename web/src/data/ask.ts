/** What only a server can answer: a preferred image, an activation map, what would be without a
 * unit, or how the answer to a picture is built, at any step. */

export type Answer<T> =
  | { state: "none" }
  | { state: "working" }
  | { state: "there"; value: T }
  | { state: "failed"; why: string };

/** Ask the server; a refusal is told in its own words. */
export async function ask(address: string): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(address);
  } catch {
    throw new Error("The server does not answer: is `ontogeny view` still running?");
  }
  if (answer.ok) return answer;
  const words = (await answer.text()).trim();
  throw new Error(words === "" ? `The server answered ${answer.status}.` : words);
}

/** Rows of numbers as they come over the wire; anything else is refused. */
export function readMap(given: unknown): number[][] {
  const values = (given as { values?: unknown } | null)?.values;
  const rows = Array.isArray(values) ? values : [];
  const isMap =
    rows.length > 0 && rows.every((row) => Array.isArray(row) && row.every(Number.isFinite));
  if (!isMap) throw new Error("expected a map of numbers from the server, got something else");
  return rows as number[][];
}

/** What silencing a unit does, token by token; null where nothing varies. */
export interface Without {
  token: string[];
  accuracy: (number | null)[];
  accuracy_without: (number | null)[];
  logit: (number | null)[];
  logit_low: (number | null)[];
  logit_high: (number | null)[];
}

/** What silencing a unit does, as it comes over the wire; anything else is refused. */
export function readWithout(given: unknown): Without {
  const found = (given ?? {}) as Partial<Without>;
  const names = found.token;
  const columns = [
    found.accuracy,
    found.accuracy_without,
    found.logit,
    found.logit_low,
    found.logit_high,
  ];
  const fits = (column: unknown) =>
    Array.isArray(column) &&
    column.length === names?.length &&
    column.every((value) => value === null || Number.isFinite(value));
  if (!Array.isArray(names) || names.length === 0 || !columns.every(fits))
    throw new Error("expected numbers for every token from the server, got something else");
  return found as Without;
}

/** The strongest units in the exact graph of a picture; attributions are in logits. */
export interface PictureGraph {
  /** The exemplar's own. */
  token: string;
  /** Its logit less the mean of all logits: what all pixels and biases give together. */
  explained: number;
  bias: number;
  /** From the last hidden layer down; units for the token first, then those against it. */
  layers: { layer: string; units: string[]; attribution: number[] }[];
}

/** The graph of a picture, as it comes over the wire; anything else is refused. */
export function readPictureGraph(given: unknown): PictureGraph {
  const found = (given ?? {}) as Partial<PictureGraph>;
  const rows = found.layers;
  const fits = ({ layer, units, attribution }: Partial<PictureGraph["layers"][number]>) =>
    typeof layer === "string" &&
    Array.isArray(units) &&
    Array.isArray(attribution) &&
    units.length === attribution.length &&
    attribution.every(Number.isFinite);
  const isGraph =
    typeof found.token === "string" &&
    Number.isFinite(found.explained) &&
    Number.isFinite(found.bias) &&
    Array.isArray(rows) &&
    rows.every(fits);
  if (!isGraph)
    throw new Error("expected units of every layer from the server, got something else");
  return found as PictureGraph;
}

/** The smallest and largest value of a map. */
export function mapEnds(map: readonly (readonly number[])[]): [number, number] {
  const values = map.flat();
  return [Math.min(...values), Math.max(...values)];
}

export const preferredPath = (step: number, unit: string): string =>
  `ask/preferred?${new URLSearchParams({ step: `${step}`, unit }).toString()}`;

export const withoutPath = (step: number, unit: string): string =>
  `ask/without?${new URLSearchParams({ step: `${step}`, unit }).toString()}`;

export const picturePath = (step: number, exemplar: number): string =>
  `ask/picture?${new URLSearchParams({ step: `${step}`, exemplar: `${exemplar}` }).toString()}`;

export const mapPath = (step: number, unit: string, exemplar: number): string =>
  `ask/map?${new URLSearchParams({ step: `${step}`, unit, exemplar: `${exemplar}` }).toString()}`;
