/** How categories separate over training, one small chart a measure: every layer, one in front. */
import { useMemo } from "preact/hooks";
import type { Field } from "../../data/field";
import type { ArrayName } from "../../data/names";
import { linear, show, type Scale } from "../../draw/canvas";
import { band, drawEnds, drawLine, type Chart } from "../../draw/curve";
import type { App } from "../../shell/app";
import { useApp } from "../../shell/app";
import { Drawing, type Size } from "../../shell/drawing";
import { tipOf } from "../../shell/hover";
import { stepAt } from "../../state/state";
import { axis } from "../../timeline/axis";

interface Measure {
  of: ArrayName;
  title: string;
  low?: ArrayName;
  high?: ArrayName;
  isLog?: boolean;
  /** Upper end of what chance gives. */
  null?: ArrayName;
}

export const MEASURES: readonly Measure[] = [
  {
    of: "separation_worst",
    title: "distance of the closest two tokens",
    low: "separation_low",
    high: "separation_high",
  },
  {
    of: "readout",
    title: "linear readout, held out",
    low: "readout_low",
    high: "readout_high",
    null: "readout_control_high",
  },
  { of: "nc1", title: "spread within ÷ between tokens", null: "nc1_null", isLog: true },
  { of: "participation_ratio", title: "effective dimensions" },
];

export function Charts({ layer }: { layer: number }) {
  const { store } = useApp();
  const found = MEASURES.filter(({ of }) => store.bundle.value.array(of) !== null);
  return (
    <div class="charts">
      {found.map((measure) => (
        <Small key={measure.of} measure={measure} layer={layer} />
      ))}
    </div>
  );
}

function Small({ measure, layer }: { measure: Measure; layer: number }) {
  const app = useApp();
  const { store } = app;
  const acts = useMemo(() => interaction(app, measure, layer), [measure, layer]);
  const value = store.bundle.value.array(measure.of)?.at(store.still.value.step, layer);
  return (
    <figure class="chart">
      <figcaption>
        {measure.title}
        {measure.isLog ? " (log)" : ""} <b>{show(value)}</b>
      </figcaption>
      <Drawing label={`${measure.title} over training steps`} {...acts} />
    </figure>
  );
}

function scale(isLog: boolean, [low, high]: [number, number], from: number, to: number): Scale {
  if (!isLog) return linear(low, high, from, to);
  const place = linear(Math.log(low), Math.log(high), from, to);
  return (value) => place(Math.log(Math.max(low, value)));
}

const columns = new WeakMap<Field, Map<number, number[]>>();

/** A layer's values over steps. */
function columnOf(field: Field | null, layer: number): readonly number[] {
  if (!field) return [];
  let own = columns.get(field);
  if (!own) columns.set(field, (own = new Map()));
  let known = own.get(layer);
  if (!known) {
    known = Array.from({ length: field.size("step") }, (_, k) => field.at(k, layer));
    own.set(layer, known);
  }
  return known;
}

function interaction(app: App, measure: Measure, layer: number) {
  const column = (name: ArrayName | undefined, k: number): readonly number[] =>
    columnOf(name === undefined ? null : app.bundle.array(name), k);
  const prepare = (size: Size): Chart & { lines: (readonly number[])[] } => {
    const steps = app.store.steps;
    const lines = app.bundle.layersAll().map((_, k) => column(measure.of, k));
    const known = lines.flat().filter((v) => Number.isFinite(v) && (!measure.isLog || v > 0));
    const ends: [number, number] = [
      measure.isLog ? Math.min(...known) : Math.min(0, ...known),
      Math.max(...known, 1e-9),
    ];
    const [left, right, top, bottom] = [42, size.width - 6, 4, size.height - 6];
    return {
      steps,
      axis: axis(steps, left, right),
      y: scale(measure.isLog ?? false, ends, bottom - 2, top + 2),
      ends,
      left,
      right,
      top,
      bottom,
      lines,
    };
  };
  return {
    paint: (pen: CanvasRenderingContext2D, size: Size) => {
      const { ink, quiet, band: grey } = app.palette.value;
      const chart = prepare(size);
      const chance = column(measure.null, layer);
      if (chance.length > 0)
        band(
          pen,
          chart,
          chance.map(() => chart.ends[0]),
          chance,
          grey,
          1,
        );
      chart.lines.forEach(
        (values, k) =>
          k !== layer && drawLine(pen, chart, { values, colour: quiet, width: 1, alpha: 0.28 }),
      );
      const [low, high] = [column(measure.low, layer), column(measure.high, layer)];
      drawLine(pen, chart, {
        values: chart.lines[layer] ?? [],
        colour: ink,
        width: 2,
        alpha: 1,
        ...(low.length > 0 ? { low, high } : {}),
      });
      drawEnds(pen, chart, app.palette.value);
    },
    over: (pen: CanvasRenderingContext2D, { width, height }: Size) => {
      const x = axis(app.store.steps, 42, width - 6).x(
        stepAt(app.store.position.value, app.store.steps),
      );
      pen.fillStyle = app.palette.value.ink;
      pen.fillRect(x - 0.5, 4, 1, height - 10);
    },
    hover: (x: number, _y: number, size: Size) => {
      const k = Math.round(prepare(size).axis.position(x));
      const value = app.bundle.array(measure.of)?.at(k, layer) ?? Number.NaN;
      return tipOf(
        app,
        measure.of,
        value,
        `${app.bundle.layersAll()[layer] ?? ""}, step ${app.store.steps[k] ?? 0}`,
      );
    },
  };
}
