/** What only a server can answer: a preferred image or an activation map at any step. */

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

/** The smallest and largest value of a map. */
export function mapEnds(map: readonly (readonly number[])[]): [number, number] {
  const values = map.flat();
  return [Math.min(...values), Math.max(...values)];
}

export const preferredPath = (step: number, unit: string): string =>
  `ask/preferred?${new URLSearchParams({ step: `${step}`, unit }).toString()}`;

export const mapPath = (step: number, unit: string, exemplar: number): string =>
  `ask/map?${new URLSearchParams({ step: `${step}`, unit, exemplar: `${exemplar}` }).toString()}`;
