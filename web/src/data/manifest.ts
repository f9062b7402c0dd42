/** What the manifest of a bundle holds, and how a stranger's manifest is read without trust. */

export const FORMAT = 1;

export type DType = "float32" | "int8" | "uint8" | "int16" | "uint16" | "int32" | "uint32";

export interface ArrayEntry {
  blob: string;
  offset: number;
  dtype: DType;
  shape: number[];
  dims: string[];
  scale: number;
  add: number;
  missing: number | null;
  units: string;
  definition: string;
  source: string;
  error: number;
}

export interface SheetEntry {
  blob: string;
  type: string;
  columns: number;
  cell: [number, number];
  count: number;
  dims: string[];
}

export interface Layer {
  name: string;
  kind: string;
  first: number;
  count: number;
}

export interface Where {
  step?: number;
  layer?: string;
  unit?: string;
  token?: string;
  view?: string;
}

export interface Observation {
  text: string;
  kind: string;
  effect: number | null;
  units: string;
  interval: [number, number] | null;
  /** What the interval is. */
  intervalIs: string;
  /** Effect that the null passes rarely. */
  bound: number | null;
  null: string;
  p: number | null;
  where: Where;
}

export interface RunInfo {
  name: string;
  task: string;
  state: string;
  seed: number | null;
  parameters: number | null;
  steps: number;
  chance: number | null;
  chanceLow: number | null;
  chanceHigh: number | null;
  image: number[];
  precision: string;
  edges: { kept: number; all: number; rule: string } | null;
  /** The run that this one is a twin of, and the step that it began from. */
  parent: { name: string; step: number } | null;
}

export interface Manifest {
  format: number;
  run: RunInfo;
  steps: number[];
  tokens: string[];
  tokenColours: string[];
  layers: Layer[];
  arrays: Record<string, ArrayEntry>;
  coordinates: Record<string, (string | number)[]>;
  sheets: Record<string, SheetEntry>;
  blobs: Record<string, { bytes: number; hash: string }>;
  /** Sentences that the run's statements make: of the whole run, and of what it constructs. */
  texts: { answers: string[]; construction: string };
  /** Whether a server follows the run, so that there is more to come. */
  isLive: boolean;
  observations: Observation[];
  missing: { what: string; why: string }[];
  /** Another run that this one is compared with. */
  beside: Manifest | null;
}

type Json = Record<string, unknown>;

const object = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const text = (value: unknown, otherwise = ""): string =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : otherwise;
const number = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;

/** Read a manifest; what is not of the expected form is left out, never trusted. */
export function readManifest(given: unknown, isBeside = false): Manifest {
  const raw = object(given);
  const other = raw["beside"];
  return {
    format: number(raw["format"]) ?? FORMAT,
    run: readRun(object(raw["run"])),
    steps: list(raw["steps"]).filter((step): step is number => number(step) !== null),
    tokens: list(raw["tokens"]).map((token) => text(token)),
    tokenColours: list(raw["token_colours"]).map((colour) => text(colour)),
    layers: list(raw["layers"]).map((layer) => readLayer(object(layer))),
    arrays: mapped(raw["arrays"], readArray),
    coordinates: mapped(raw["coordinates"], (value) =>
      Array.isArray(value) ? (value as (string | number)[]) : null,
    ),
    sheets: mapped(raw["sheets"], readSheet),
    blobs: mapped(raw["blobs"], (value) => ({
      bytes: number(object(value)["bytes"]) ?? 0,
      hash: text(object(value)["hash"]),
    })),
    texts: {
      answers: list(object(raw["texts"])["answers"]).map((line) => text(line)),
      construction: text(object(raw["texts"])["construction"]),
    },
    isLive: raw["is_live"] === true,
    observations: list(raw["observations"]).map((one) => readObservation(object(one))),
    missing: list(raw["missing"]).map((one) => ({
      what: text(object(one)["what"]),
      why: text(object(one)["why"]),
    })),
    beside: isBeside || typeof other !== "object" || !other ? null : readManifest(other, true),
  };
}

function mapped<T>(given: unknown, read: (value: unknown) => T | null): Record<string, T> {
  const found: Record<string, T> = Object.create(null) as Record<string, T>;
  for (const [name, value] of Object.entries(object(given))) {
    const one = read(value);
    if (one !== null) found[name] = one;
  }
  return found;
}

function readRun(run: Json): RunInfo {
  const edges = object(run["edges"]);
  const parent = object(run["parent"]);
  return {
    name: text(run["name"], "run"),
    task: text(run["task"]),
    state: text(run["state"]),
    seed: number(run["seed"]),
    parameters: number(run["parameters"]),
    steps: number(run["steps"]) ?? 0,
    chance: number(run["chance"]),
    chanceLow: number(run["chance_low"]),
    chanceHigh: number(run["chance_high"]),
    image: list(run["image"]).filter((side): side is number => number(side) !== null),
    precision: text(run["precision"]),
    edges:
      number(edges["all"]) === null
        ? null
        : {
            kept: number(edges["kept"]) ?? 0,
            all: number(edges["all"]) ?? 0,
            rule: text(edges["rule"]),
          },
    parent:
      number(parent["step"]) === null
        ? null
        : { name: text(parent["name"]), step: number(parent["step"]) ?? 0 },
  };
}

function readLayer(layer: Json): Layer {
  return {
    name: text(layer["name"]),
    kind: text(layer["kind"]),
    first: number(layer["first"]) ?? 0,
    count: number(layer["count"]) ?? 0,
  };
}

const DTYPES = ["float32", "int8", "uint8", "int16", "uint16", "int32", "uint32"];

function readArray(value: unknown): ArrayEntry | null {
  const raw = object(value);
  const dtype = text(raw["dtype"]);
  const shape = list(raw["shape"]).map((size) => number(size) ?? -1);
  const dims = list(raw["dims"]).map((dim) => text(dim));
  if (!DTYPES.includes(dtype) || shape.length !== dims.length || shape.some((size) => size < 0)) {
    return null;
  }
  return {
    blob: text(raw["blob"]),
    offset: number(raw["offset"]) ?? 0,
    dtype: dtype as DType,
    shape,
    dims,
    scale: number(raw["scale"]) ?? 1,
    add: number(raw["add"]) ?? 0,
    missing: number(raw["missing"]),
    units: text(raw["units"], "1"),
    definition: text(raw["definition"]),
    source: text(raw["source"]),
    error: number(raw["error"]) ?? 0,
  };
}

function readSheet(value: unknown): SheetEntry | null {
  const raw = object(value);
  const cell = list(raw["cell"]).map((side) => number(side) ?? 0);
  const columns = number(raw["columns"]) ?? 0;
  if (cell.length !== 2 || columns < 1) return null;
  return {
    blob: text(raw["blob"]),
    type: text(raw["type"], "image/jpeg"),
    columns,
    cell: [cell[0] ?? 0, cell[1] ?? 0],
    count: number(raw["count"]) ?? 0,
    dims: list(raw["dims"]).map((dim) => text(dim)),
  };
}

function readObservation(one: Json): Observation {
  const [low, high] = [number(one["low"]), number(one["high"])];
  const where: Where = {};
  const place = object(one["where"]);
  const step = number(place["step"]);
  if (step !== null) where.step = step;
  for (const key of ["layer", "unit", "token", "view"] as const) {
    if (typeof place[key] === "string") where[key] = place[key];
  }
  return {
    text: text(one["text"]),
    kind: text(one["kind"]),
    effect: number(one["effect"]),
    units: text(one["units"]),
    interval: low !== null && high !== null ? [low, high] : null,
    intervalIs: text(one["interval"]),
    bound: number(one["bound"]),
    null: text(one["null"]),
    p: number(one["p"]),
    where,
  };
}
