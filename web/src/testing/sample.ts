/** A made-up run in the form of a bundle: for tests, and for looking at the page without Python. */
import type { ArrayName } from "../data/names";
import type { ArrayEntry, DType, Layer } from "../data/manifest";
import { pictureSheet } from "./bitmap";

const SIZES: readonly (readonly [string, string, number])[] = [
  ["conv1", "conv", 32], ["conv2", "conv", 32], ["conv3", "conv", 64], ["conv4", "conv", 64],
  ["conv5", "conv", 128], ["conv6", "conv", 128], ["conv7", "conv", 256], ["conv8", "conv", 256],
  ["fc1", "dense", 256], ["logits", "logits", 5],
]; // prettier-ignore
export const TOKENS = ["daisy", "dandelion", "roses", "sunflowers", "tulips"];
const PIXEL = 65535;

export interface Sample {
  manifest: Record<string, unknown>;
  blobs: Map<string, Uint8Array<ArrayBuffer>>;
}

/** Numbers that look drawn by chance and are the same every time (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const rise = (log: number, from: number, over: number): number =>
  1 / (1 + Math.exp(-(log - from) / over));

/** Steps on a quasi-logarithmic grid from 0. */
export function stepGrid(last: number, count: number): number[] {
  const found = new Set([0]);
  for (let k = 0; k < count * 3 && found.size < count; k++) {
    found.add(Math.round(Math.expm1((Math.log1p(last) * k) / (count * 1.2))));
  }
  return [...found]
    .filter((s) => s < last)
    .concat(last)
    .sort((a, b) => a - b);
}

const TYPES = {
  float32: Float32Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array,
  uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array,
}; // prettier-ignore

class Packing {
  readonly arrays: Record<string, ArrayEntry> = {};
  private readonly parts = new Map<string, { bytes: Uint8Array; offset: number }[]>();
  private readonly sizes = new Map<string, number>();

  add(
    name: ArrayName,
    blob: string,
    dtype: DType,
    dims: string[],
    shape: number[],
    values: ArrayLike<number>,
    definition: string = name,
    scale = 1,
  ) {
    const missing = dtype.startsWith("int")
      ? -(2 ** (8 * TYPES[dtype].BYTES_PER_ELEMENT - 1))
      : null;
    const codes = Array.from(values, (v) =>
      dtype === "float32" ? v : Number.isNaN(v) ? (missing ?? 0) : Math.round(v / scale),
    );
    const raw = TYPES[dtype].from(codes);
    const bytes = new Uint8Array(raw.buffer);
    const offset = Math.ceil((this.sizes.get(blob) ?? 0) / 4) * 4;
    const list = this.parts.get(blob) ?? [];
    list.push({ bytes, offset });
    this.parts.set(blob, list);
    this.sizes.set(blob, offset + bytes.length);
    this.arrays[name] = {
      blob, offset, dtype, shape, dims, scale: dtype === "float32" ? 1 : scale, add: 0,
      missing, units: "1", definition, source: `sample/${name}`, error: dtype === "float32" ? 0 : scale / 2,
    }; // prettier-ignore
  }

  blobs(): Map<string, Uint8Array<ArrayBuffer>> {
    return new Map(
      [...this.parts].map(([name, list]) => {
        const whole = new Uint8Array(this.sizes.get(name) ?? 0);
        for (const { bytes, offset } of list) whole.set(bytes, offset);
        return [name, whole];
      }),
    );
  }
}

export interface Wanted {
  steps?: number;
  last?: number;
  exemplars?: number;
  pictures?: boolean;
}

/** Make the sample; the same every time. */
export function sample({
  steps: nSteps = 60,
  last = 1200,
  exemplars = 300,
  pictures = true,
}: Wanted = {}): Sample {
  const draw = chance(7);
  const steps = stepGrid(last, nSteps);
  const logs = steps.map((s) => Math.log1p(s));
  let first = 0;
  const layers: Layer[] = SIZES.map(([name, kind, count]) => {
    const layer = { name, kind, first, count };
    first += count;
    return layer;
  });
  const pack = new Packing();
  const world = { draw, steps, logs, layers, nUnits: first, nExemplars: exemplars, pack };
  const curves = base(world);
  categories(world);
  const taste = detectors(world);
  const kept = construction(world, taste);
  const blobs = pack.blobs();
  const sheets: Record<string, unknown> = {};
  const filmed = Array.from({ length: Math.floor(first / 4) }, (_, k) => 4 * k);
  const filmSteps = steps.filter(
    (_, k) => k % Math.ceil(steps.length / 7) === 0 || k === steps.length - 1,
  );
  if (pictures) {
    const add = (
      name: string,
      count: number,
      side: number,
      dims: string[],
      paint: (k: number, x: number, y: number) => [number, number, number],
    ) => {
      const sheet = pictureSheet(count, side, paint);
      blobs.set(`${name}.bmp`, sheet.data);
      sheets[name] = {
        blob: `${name}.bmp`,
        type: "image/bmp",
        columns: sheet.columns,
        cell: [side, side],
        count,
        dims,
      };
    };
    add("probe", exemplars, 32, ["exemplar"], (k, x, y) => flower(k % 5, k, x, y));
    add("preferred", first, 20, ["picture_unit"], (k, x, y) => gabor(taste[k] ?? 0, k, x, y));
    add("film", filmed.length * filmSteps.length, 20, ["film_unit", "film_step"], (k, x, y) => {
      const unit = filmed[Math.floor(k / filmSteps.length)] ?? 0;
      return young(
        gabor(taste[unit] ?? 0, unit, x, y),
        (k % filmSteps.length) / (filmSteps.length - 1),
        k + 31 * x + 57 * y,
      );
    });
  }
  const manifest = {
    format: 1,
    run: {
      name: "sample", task: "flowers", state: "complete", seed: 0, parameters: 1239333, steps: last,
      chance: 0.2, chance_low: 0.165, chance_high: 0.238, precision: "float32", image: [32, 32, 3], density: {}, config: {}, versions: {}, parent: null,
      edges: { kept, all: 196960, rule: "the strongest into each unit" },
    },
    steps, tokens: TOKENS, layers, arrays: pack.arrays,
    coordinates: {
      split: ["train", "probe"], layer_all: ["pixels", ...layers.map((l) => l.name)],
      onset: [...TOKENS, ...layers.map((l) => l.name)],
      onset_kind: [...TOKENS.map(() => "token"), ...layers.map(() => "layer")],
      map_step: mapSteps(steps), film_unit: filmed, film_step: filmSteps,
    },
    sheets,
    blobs: Object.fromEntries([...blobs].map(([name, data]) => [name, { bytes: data.length, hash: `${name}-${data.length}` }])),
    texts: { answers: curves },
    observations: observations(),
    missing: [{ what: "assemblies", why: "the sample makes none up" }],
  }; // prettier-ignore
  return { manifest, blobs };
}

interface World {
  draw: () => number;
  steps: number[];
  logs: number[];
  layers: Layer[];
  nUnits: number;
  nExemplars: number;
  pack: Packing;
}

const LEARNT = [2.6, 3.1, 4.2, 3.4, 4.9];

function base({ draw, steps, logs, layers, pack, nExemplars }: World): string[] {
  const [loss, accuracy, own]: number[][] = [[], [], []];
  for (const log of logs) {
    const tokens = TOKENS.map((_, k) =>
      Math.min(0.97, 0.2 + 0.66 * rise(log, LEARNT[k] ?? 3, 0.5) + 0.05 * (draw() - 0.5)),
    );
    const mean = tokens.reduce((a, b) => a + b, 0) / 5;
    for (const lift of [0.03, 0]) {
      accuracy?.push(Math.min(1, mean + lift * rise(log, 4, 1)));
      loss?.push(1.61 * (1 - mean) + 0.3);
      own?.push(...tokens.map((t) => Math.min(1, t + lift)));
    }
  }
  pack.add(
    "loss",
    "base",
    "float32",
    ["step", "split"],
    [steps.length, 2],
    loss ?? [],
    "mean cross-entropy",
  );
  pack.add(
    "accuracy",
    "base",
    "float32",
    ["step", "split"],
    [steps.length, 2],
    accuracy ?? [],
    "share of exemplars whose largest logit is their token's",
  );
  pack.add(
    "token_accuracy",
    "base",
    "float32",
    ["step", "split", "token"],
    [steps.length, 2, 5],
    own ?? [],
    "accuracy among the exemplars of one token",
  );
  const by = [...LEARNT, ...layers.map((_, k) => 2.2 + 0.22 * k)].map(
    (log) => steps.find((s) => Math.log1p(s) >= log) ?? last(steps),
  );
  const before = by.map((s) => steps[steps.indexOf(s) - 1] ?? 0);
  pack.add("onset_after", "base", "float32", ["onset"], [by.length], before);
  pack.add(
    "onset_by",
    "base",
    "float32",
    ["onset"],
    [by.length],
    by,
    "first recorded step from which the quantity stays beyond its null",
  );
  pack.add(
    "onset_confidence_after",
    "base",
    "float32",
    ["onset"],
    [by.length],
    before.map((s) => s * 0.8),
  );
  pack.add(
    "onset_confidence_by",
    "base",
    "float32",
    ["onset"],
    [by.length],
    by.map((s) => s * 1.25),
  );
  const phases = steps.map((_, k) => (k === 18 || k === 33 ? 1 : 0));
  pack.add("phase", "base", "float32", ["step"], [steps.length], phases);
  pack.add("phase_p", "base", "float32", [], [], [0.01]);
  const all = ["pixels", ...layers];
  const curve = (f: (log: number, layer: number) => number) =>
    logs.flatMap((log) => all.map((_, k) => f(log, k)));
  const dims = ["step", "layer_all"];
  const shape = [steps.length, all.length];
  pack.add(
    "readout",
    "base",
    "float32",
    dims,
    shape,
    curve((log, k) => 0.35 + 0.045 * k * rise(log, 3, 0.7)),
    "held-out accuracy of a linear readout of the layer",
  );
  pack.add(
    "readout_low",
    "base",
    "float32",
    dims,
    shape,
    curve((log, k) => 0.32 + 0.044 * k * rise(log, 3, 0.7)),
  );
  pack.add(
    "readout_high",
    "base",
    "float32",
    dims,
    shape,
    curve((log, k) => 0.38 + 0.046 * k * rise(log, 3, 0.7)),
  );
  pack.add(
    "readout_control_high",
    "base",
    "float32",
    dims,
    shape,
    curve(() => 0.26),
    "the same with shuffled tokens, upper end",
  );
  pack.add(
    "separation_worst",
    "base",
    "float32",
    dims,
    shape,
    curve((log, k) => (0.02 + 0.09 * k * rise(log, 3.6, 0.5)) * (1 + 0.1 * (draw() - 0.5))),
    "smallest distance between any two tokens",
  );
  pack.add(
    "nc1",
    "base",
    "float32",
    dims,
    shape,
    curve((log, k) => 9 * Math.exp(-0.35 * k * rise(log, 3.6, 0.8)) + 0.4),
    "spread within tokens over spread between them",
  );
  pack.add(
    "participation_ratio",
    "base",
    "float32",
    dims,
    shape,
    curve((log, k) => 3 + k * (1 + 2 * rise(log, 2.5, 0.6)) - 1.7 * k * rise(log, 5, 0.5)),
    "effective number of dimensions",
  );
  const things = all.map((_, k) =>
    k < 4 ? Number.NaN : (steps.find((s) => Math.log1p(s) >= 5.4 - 0.3 * (k - 4)) ?? last(steps)),
  );
  pack.add(
    "things_by",
    "base",
    "float32",
    ["layer_all"],
    [all.length],
    things,
    "first step from which every two tokens lie apart beyond their null",
  );
  pack.add(
    "things_after",
    "base",
    "float32",
    ["layer_all"],
    [all.length],
    things.map((s) => steps[steps.indexOf(s) - 1] ?? Number.NaN),
  );
  pack.add(
    "things_confidence_by",
    "base",
    "float32",
    ["layer_all"],
    [all.length],
    things.map((s) => s * 1.2),
  );
  pack.add(
    "things_confidence_after",
    "base",
    "float32",
    ["layer_all"],
    [all.length],
    things.map((s) => s * 0.75),
  );
  pack.add(
    "exemplar_token",
    "base",
    "int16",
    ["exemplar"],
    [nExemplars],
    Array.from({ length: nExemplars }, (_, k) => k % 5),
  );
  pack.add(
    "exemplar_id",
    "base",
    "int32",
    ["exemplar"],
    [nExemplars],
    Array.from({ length: nExemplars }, (_, k) => 3 * k + 1),
  );
  return [
    `Probe accuracy rose from 20% to ${Math.round(100 * (accuracy?.at(-1) ?? 0))}% (chance 20%).`,
    `Daisy was classified correctly first (by step ${by[0] ?? 0}), tulips last (by step ${by[4] ?? 0}).`,
    "Layers came to keep tokens apart from the top down.",
  ];
}

const last = (steps: readonly number[]): number => steps.at(-1) ?? 0;
const mapSteps = (steps: readonly number[]): number[] =>
  steps.filter((_, k) => k % 4 === 0 || k === steps.length - 1);

function categories({ draw, steps, logs, pack, nExemplars }: World): void {
  const at = mapSteps(steps);
  const noise = Array.from({ length: nExemplars * 2 }, () => draw() + draw() + draw() - 1.5);
  const map: number[] = [];
  for (const step of at)
    for (let layer = 0; layer < 11; layer++) {
      const apart = layer * 0.22 * rise(Math.log1p(step), 3.6 + 0.1 * (10 - layer), 0.6);
      for (let e = 0; e < nExemplars; e++) {
        const turn = ((e % 5) / 5) * 2 * Math.PI;
        map.push(
          apart * Math.cos(turn) + (noise[2 * e] ?? 0),
          apart * Math.sin(turn) + (noise[2 * e + 1] ?? 0),
        );
      }
    }
  pack.add(
    "map",
    "categories",
    "int16",
    ["map_step", "layer_all", "exemplar", "axis"],
    [at.length, 11, nExemplars, 2],
    map,
    "place in the neighbour map",
    0.001,
  );
  const flat = (f: () => number) => Array.from({ length: at.length * 11 }, f);
  pack.add(
    "trustworthiness",
    "categories",
    "float32",
    ["map_step", "layer_all"],
    [at.length, 11],
    flat(() => 0.86 + 0.1 * draw()),
    "share of neighbours in the map that are neighbours in the layer",
  );
  pack.add(
    "jitter",
    "categories",
    "float32",
    ["map_step", "layer_all"],
    [at.length, 11],
    flat(() => 0.02 + 0.02 * draw()),
    "median move between steps that the layer does not explain",
  );
  const [rdm, confusion]: number[][] = [[], []];
  for (const log of logs)
    for (let layer = 0; layer < 11; layer++)
      for (let a = 0; a < 5; a++)
        for (let b = 0; b < 5; b++)
          rdm?.push(
            a === b
              ? 0
              : 0.1 * layer * rise(log, Math.max(LEARNT[a] ?? 3, LEARNT[b] ?? 3), 0.5) +
                  0.03 * (draw() - 0.5),
          );
  for (const log of logs)
    for (let a = 0; a < 5; a++) {
      const right = 0.2 + 0.66 * rise(log, LEARNT[a] ?? 3, 0.5);
      for (let b = 0; b < 5; b++) confusion?.push(a === b ? right : (1 - right) / 4);
    }
  pack.add(
    "crossnobis",
    "categories",
    "float32",
    ["step", "layer_all", "token", "token_b"],
    [steps.length, 11, 5, 5],
    rdm ?? [],
    "cross-validated distance between two tokens; 0 where they do not differ",
  );
  pack.add(
    "confusion",
    "categories",
    "float32",
    ["step", "token", "token_b"],
    [steps.length, 5, 5],
    confusion ?? [],
    "share of a token's exemplars that are called another",
  );
  const [apartBy, apartAfter]: number[][] = [[], []];
  for (let layer = 0; layer < 11; layer++)
    for (let a = 0; a < 5; a++)
      for (let b = 0; b < 5; b++) {
        const log = Math.max(LEARNT[a] ?? 3, LEARNT[b] ?? 3) + 0.08 * (10 - layer);
        const by =
          layer < 3 || a === b
            ? Number.NaN
            : (steps.find((s) => Math.log1p(s) >= log) ?? Number.NaN);
        apartBy?.push(by);
        apartAfter?.push(steps[steps.indexOf(by) - 1] ?? Number.NaN);
      }
  pack.add(
    "apart_by",
    "categories",
    "float32",
    ["layer_all", "token", "token_b"],
    [11, 5, 5],
    apartBy ?? [],
  );
  pack.add(
    "apart_after",
    "categories",
    "float32",
    ["layer_all", "token", "token_b"],
    [11, 5, 5],
    apartAfter ?? [],
  );
}

function detectors({ draw, steps, logs, layers, nUnits, nExemplars, pack }: World): number[] {
  const taste = Array.from({ length: nUnits }, (_, u) =>
    u >= nUnits - 5 ? u - nUnits + 5 : Math.floor(draw() * 5),
  );
  const depth = layers.flatMap((layer, k) => Array.from({ length: layer.count }, () => k));
  const from = taste.map(
    (t, u) => (LEARNT[t] ?? 3) - 1 + draw() * 1.6 + 0.1 * (9 - (depth[u] ?? 0)),
  );
  const strength = depth.map((d) => (0.06 + 0.05 * d) * (0.4 + draw()));
  const [signal, mean, most, response, preferred]: number[][] = [[], [], [], [], []];
  for (const log of logs)
    for (let u = 0; u < nUnits; u++) {
      const grown = rise(log, from[u] ?? 3, 0.45);
      const isDead = u % 41 === 7 && log > 5;
      signal?.push(0.01 + 0.012 * draw() + (strength[u] ?? 0) * grown);
      mean?.push(isDead ? 0 : 0.3 + grown * 0.5);
      most?.push(isDead ? 0 : 1 + 2 * grown);
      preferred?.push(grown > 0.25 ? (taste[u] ?? -1) : -1);
      for (let t = 0; t < 5; t++)
        response?.push(
          (t === taste[u] ? 1.6 : -0.4) * grown * Math.sqrt(strength[u] ?? 0) * 2 +
            0.1 * (draw() - 0.5),
        );
    }
  pack.add(
    "token_signal",
    "detectors",
    "uint16",
    ["step", "unit"],
    [steps.length, nUnits],
    signal ?? [],
    "share of the unit's variance that lies between tokens",
    0.0001,
  );
  pack.add(
    "token_signal_null",
    "detectors",
    "float32",
    ["step", "layer"],
    [steps.length, 10],
    Array.from({ length: steps.length * 10 }, () => 0.03),
    "the same with shuffled tokens: upper end",
  );
  pack.add(
    "unit_mean",
    "detectors",
    "uint16",
    ["step", "unit"],
    [steps.length, nUnits],
    mean ?? [],
    "mean activation over the probe",
    0.001,
  );
  pack.add(
    "unit_maximum",
    "detectors",
    "uint16",
    ["step", "unit"],
    [steps.length, nUnits],
    most ?? [],
    "largest activation over the probe",
    0.001,
  );
  pack.add(
    "preferred_token",
    "detectors",
    "int8",
    ["step", "unit"],
    [steps.length, nUnits],
    preferred ?? [],
    "token that the unit answers to most",
  );
  pack.add(
    "token_response",
    "detectors",
    "int16",
    ["step", "unit", "token"],
    [steps.length, nUnits, 5],
    response ?? [],
    "mean activation to a token, in standard deviations from the mean of all",
    0.001,
  );
  const onset = from.map((log) => steps.find((s) => Math.log1p(s) >= log) ?? Number.NaN);
  pack.add(
    "unit_onset_by",
    "detectors",
    "float32",
    ["unit"],
    [nUnits],
    onset,
    "first step from which the unit's token signal stays beyond its null",
  );
  pack.add(
    "unit_onset_after",
    "detectors",
    "float32",
    ["unit"],
    [nUnits],
    onset.map((s) => steps[steps.indexOf(s) - 1] ?? Number.NaN),
  );
  pack.add(
    "lockin",
    "detectors",
    "float32",
    ["unit"],
    [nUnits],
    onset.map((s) => s * 2.5),
    "step from which its tuning no longer changes",
  );
  const ranks = Array.from(
    { length: nUnits * 6 },
    (_, k) =>
      (Math.floor(draw() * (nExemplars / 5)) * 5 + (taste[Math.floor(k / 6)] ?? 0)) % nExemplars,
  );
  pack.add("top_exemplar", "detectors", "int16", ["picture_unit", "rank"], [nUnits, 6], ranks);
  const side = (k: number) =>
    [5, 7, 12, 14, 20, 24, 30, 32, 32, 32][depth[Math.floor(k / 6)] ?? 0] ?? 32;
  pack.add(
    "top_size",
    "detectors",
    "float32",
    ["picture_unit", "rank"],
    [nUnits, 6],
    ranks.map((_, k) => side(k)),
  );
  pack.add(
    "top_row",
    "detectors",
    "float32",
    ["picture_unit", "rank"],
    [nUnits, 6],
    ranks.map((_, k) => Math.floor((32 - side(k)) * 0.5)),
  );
  pack.add(
    "top_column",
    "detectors",
    "float32",
    ["picture_unit", "rank"],
    [nUnits, 6],
    ranks.map((_, k) => Math.floor((32 - side(k)) * 0.5)),
  );
  return taste;
}

function construction({ draw, steps, logs, layers, pack }: World, taste: number[]): number {
  const [source, target, final, born]: number[][] = [[], [], [], []];
  layers.forEach((layer, k) => {
    const below = layers[k - 1];
    for (let j = 0; j < layer.count; j++)
      for (let n = 0; n < (below ? 12 : 3); n++) {
        const i = below ? below.first + Math.floor(draw() * below.count) : PIXEL - n;
        const same = below ? taste[i] === taste[layer.first + j] : true;
        source?.push(i);
        target?.push(layer.first + j);
        final?.push((same ? 0.05 + 0.3 * draw() ** 3 : (draw() - 0.6) * 0.12) * (below ? 1 : 1.4));
        born?.push(1.5 + 3.5 * draw() + 0.12 * k);
      }
  });
  const n = source?.length ?? 0;
  const [coupling, contrast]: number[][] = [[], []];
  for (const log of logs)
    for (let e = 0; e < n; e++) {
      const value =
        0.035 * Math.sin(e * 1.7) * (1 - rise(log, 3, 0.5)) +
        (final?.[e] ?? 0) * rise(log, born?.[e] ?? 3, 0.4);
      coupling?.push(value);
      const liked = taste[target?.[e] ?? 0];
      for (let t = 0; t < 5; t++) contrast?.push(value * (t === liked ? 1.2 : -0.25));
    }
  pack.add("edge_source", "construction", "int32", ["edge"], [n], source ?? []);
  pack.add("edge_target", "construction", "int32", ["edge"], [n], target ?? []);
  pack.add(
    "coupling",
    "construction",
    "int8",
    ["step", "edge"],
    [steps.length, n],
    coupling ?? [],
    "Cov(z_ij, z_j) / Var(z_j): share of the target's variance that comes through the source",
    0.004,
  );
  pack.add(
    "coupling_signal",
    "construction",
    "int8",
    ["step", "edge"],
    [steps.length, n],
    (coupling ?? []).map((v) => v * 0.4),
    "the part of the coupling that lies between tokens",
    0.004,
  );
  pack.add(
    "contrast",
    "construction",
    "int8",
    ["step", "edge", "token"],
    [steps.length, n, 5],
    contrast ?? [],
    "share of what sets the token apart in the target that comes through the source",
    0.004,
  );
  pack.add(
    "coupling_null",
    "construction",
    "float32",
    ["step", "layer"],
    [steps.length, 10],
    Array.from({ length: steps.length * 10 }, () => 0.03),
    "size that 95% of couplings stay below when weights are permuted",
  );
  return n;
}

function observations(): unknown[] {
  return [
    { text: "Tulips were separated from roses last, 90 steps after every other pair.", kind: "order", effect: 90, units: "steps", low: 60, high: 130, interval: "95 %, groups of exemplars resampled", bound: 5, null: "shuffled tokens", p: 0.002, where: { step: 132, view: "categories", layer: "conv8" } },
    { text: "conv8 carried token signal before conv5 did.", kind: "order", effect: 12, units: "steps", low: 4, high: 21, interval: "95 %, groups of exemplars resampled", bound: 5, null: "shuffled tokens", p: 0.01, where: { step: 20, view: "construction", token: "roses" } },
  ]; // prettier-ignore
}

const HUES: readonly (readonly [number, number, number])[] = [
  [245, 245, 240],
  [240, 210, 40],
  [215, 40, 80],
  [235, 160, 20],
  [225, 70, 150],
];

function flower(token: number, seed: number, x: number, y: number): [number, number, number] {
  const [dx, dy] = [x - 16 - ((seed * 7) % 9) + 4, y - 15 - ((seed * 5) % 9) + 4];
  const petal = 7 + 4 * Math.cos(Math.atan2(dy, dx) * (4 + token) + seed);
  const radius = Math.hypot(dx, dy);
  if (radius < 3) return [150, 100, 30];
  if (radius < petal) return [...(HUES[token] ?? [0, 0, 0])] as [number, number, number];
  return [50 + ((seed * 13) % 40), 110 + ((x * y + seed) % 30), 60];
}

function gabor(token: number, seed: number, x: number, y: number): [number, number, number] {
  const turn = (seed * 2.4) % Math.PI;
  const along = (x - 10) * Math.cos(turn) + (y - 10) * Math.sin(turn);
  const wave =
    Math.exp(-((x - 10) ** 2 + (y - 10) ** 2) / 50) *
    Math.sin(along * (0.4 + (seed % 5) * 0.15) + seed);
  const hue = HUES[token] ?? [0, 0, 0];
  return [0, 1, 2].map((c) => Math.max(0, Math.min(255, 125 + wave * ((hue[c] ?? 0) - 60)))) as [
    number,
    number,
    number,
  ];
}

/** A picture as it might have been earlier: more noise, less of itself. */
function young(
  colour: [number, number, number],
  age: number,
  seed: number,
): [number, number, number] {
  const noise = chance(seed);
  return colour.map((v) => Math.round(age * v + (1 - age) * (70 + 110 * noise()))) as [
    number,
    number,
    number,
  ];
}
