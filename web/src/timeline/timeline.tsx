/** The timeline: always there, and the slider that moves everything. */
import { batch, effect, signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Bundle } from "../data/bundle";
import { hasPhases } from "../data/facts";
import type { ArrayName } from "../data/names";
import { percent, show } from "../draw/canvas";
import { saveSvg } from "../draw/figure";
import { saveTable } from "../draw/download";
import { togglePlay } from "../state/play";
import { useApp, type App, type Tip } from "../shell/app";
import { Drawing, type Size } from "../shell/drawing";
import { axis, type Axis } from "./axis";
import { drawTimeline, LEFT, parts, RIGHT, ROW } from "./draw";
import { rows, rowTip, type Row } from "./rows";

export function Timeline() {
  const app = useApp();
  const { store } = app;
  const open = useMemo(() => signal(innerHeight >= 1000 && innerWidth > 960), []);
  const bundle = store.bundle.value;
  const shown = rowsOf(bundle, open.value);
  const isPlaying = store.playing.value;
  return (
    <section class="timeline" aria-label="Timeline">
      <div class="play">
        <button
          type="button"
          class="round"
          aria-label={isPlaying ? "Stop the film" : "Play the film"}
          title="Play (space)"
          onClick={() => togglePlay(store)}
        >
          {isPlaying ? "❚❚" : "▶"}
        </button>
        <StepNow />
        <button
          type="button"
          class="small"
          aria-pressed={open.value}
          onClick={() => (open.value = !open.value)}
        >
          layers
        </button>
        <div class="files-small">
          <button
            type="button"
            class="small"
            aria-label="Save the timeline as SVG"
            onClick={() => {
              const track = document.querySelector<HTMLElement>(".track");
              const { ground, ink } = app.palette.value;
              const { name } = bundle.manifest.run;
              const title = "Accuracy and loss over training, and onsets";
              if (track) saveSvg(`${name}-timeline`, track, { title, below: name, ground, ink });
            }}
          >
            SVG
          </button>
          <button
            type="button"
            class="small"
            aria-label="Save the curves as CSV"
            onClick={() => saveTable(`${bundle.manifest.run.name}-curves`, curves(bundle))}
          >
            CSV
          </button>
        </div>
      </div>
      <Track key={shown.length} shown={shown} />
    </section>
  );
}

/** Onsets of tokens, and when asked for those of layers too; none on a very low screen. */
const rowsOf = (bundle: Bundle, withLayers: boolean): Row[] =>
  rows(bundle).filter(({ token }) => withLayers || (token !== null && innerHeight >= 640));

function StepNow() {
  const { store } = useApp();
  const { steps } = store.bundle.value.manifest;
  return (
    <p class="step-now">
      step <b>{(steps[store.state.value.step] ?? 0).toLocaleString("en")}</b>
    </p>
  );
}

const LEAST = 74;

function Track({ shown }: { shown: readonly Row[] }) {
  const nRows = shown.length;
  const app = useApp();
  const { store } = app;
  const holder = useRef<HTMLDivElement>(null);
  const cursor = useRef<HTMLDivElement>(null);
  const size = useMemo(() => signal<Size>({ width: 0, height: 0 }), []);
  const paint = useMemo(
    () => (pen: CanvasRenderingContext2D, now: Size) => {
      if (size.peek().width !== now.width || size.peek().height !== now.height) size.value = now;
      const bundle = store.bundle.value;
      drawTimeline(pen, now, {
        bundle,
        palette: app.palette.value,
        axis: axisOf(bundle, now),
        parts: parts(now, nRows),
        rows: shown,
        token: store.token.value,
      });
    },
    [nRows],
  );
  useEffect(() => {
    if (holder.current)
      holder.current.style.height = `${Math.max(136, LEAST + nRows * ROW + 18)}px`;
  }, [nRows]);
  useEffect(
    () =>
      // the cursor alone moves with the film: the curves under it are not painted again
      effect(() => {
        const { manifest } = store.bundle.value;
        const at = positionX(
          axisOf(store.bundle.value, size.value),
          manifest.steps,
          store.position.value,
        );
        if (cursor.current) cursor.current.style.transform = `translateX(${at}px)`;
      }),
    [],
  );
  const seek = (event: PointerEvent) => {
    const box = holder.current?.getBoundingClientRect();
    if (!box) return;
    batch(() => {
      store.playing.value = false;
      store.seek(axisOf(store.bundle.value, size.value).position(event.clientX - box.x));
    });
  };
  return (
    <div class="track" ref={holder}>
      <Drawing
        label="Accuracy and loss over training, and the onsets of tokens and layers"
        paint={paint}
      />
      <div class="cursor" ref={cursor} aria-hidden="true" />
      <Slider seek={seek} hover={(x, y) => tipAt(app, x, y, size.value, shown)} />
    </div>
  );
}

function Slider({
  seek,
  hover,
}: {
  seek(event: PointerEvent): void;
  hover(x: number, y: number): Tip | null;
}) {
  const { store, tip } = useApp();
  const { steps } = store.bundle.value.manifest;
  const { step } = store.state.value;
  const drag = useRef(false);
  return (
    <div
      class="slider"
      role="slider"
      tabIndex={0}
      aria-label="Training step"
      aria-valuemin={steps[0] ?? 0}
      aria-valuemax={steps.at(-1) ?? 0}
      aria-valuenow={steps[step] ?? 0}
      aria-valuetext={`step ${steps[step] ?? 0} of ${steps.at(-1) ?? 0}`}
      onPointerDown={(event) => {
        drag.current = true;
        event.currentTarget.setPointerCapture(event.pointerId);
        tip.value = null;
        seek(event);
      }}
      onPointerMove={(event) => {
        if (drag.current) seek(event);
        else {
          const said = hover(event.offsetX, event.offsetY);
          tip.value = said && { x: event.clientX, y: event.clientY, tip: said };
        }
      }}
      onPointerUp={() => {
        drag.current = false;
        // let go, it rests on a recorded step: words and tables are of recorded steps only
        store.seek(Math.round(store.position.value));
      }}
      onPointerLeave={() => (tip.value = null)}
    />
  );
}

const axisOf = (bundle: Bundle, { width }: Size): Axis =>
  axis(bundle.manifest.steps, LEFT, Math.max(LEFT + 1, width - RIGHT));

function positionX({ x }: Axis, steps: readonly number[], position: number): number {
  const k = Math.floor(position);
  const [a, b] = [x(steps[k] ?? 0), x(steps[k + 1] ?? steps[k] ?? 0)];
  return a + (b - a) * (position - k);
}

function tipAt(app: App, x: number, y: number, size: Size, shown: readonly Row[]): Tip | null {
  const { bundle } = app;
  const { steps, tokens } = bundle.manifest;
  const place = parts(size, shown.length);
  const row = shown[Math.floor((y - place.raster.top) / place.raster.row)];
  if (row) return rowTip(row, bundle.definition(row.of)?.definition ?? "");
  const step = Math.round(axisOf(bundle, size).position(x));
  const at = (name: ArrayName, ...rest: number[]) =>
    bundle.array(name)?.at(step, ...rest) ?? Number.NaN;
  const isPhase = hasPhases(bundle) && at("phase") === 1;
  return {
    title: `step ${steps[step] ?? 0}`,
    rows: [
      ["accuracy", percent(at("accuracy", 1))],
      ...(bundle.array("holdout_accuracy")
        ? [["on the second probe", percent(at("holdout_accuracy"))] as const]
        : []),
      ...tokens.map((name, k): [string, string] => [name, percent(at("token_accuracy", 1, k))]),
      ["loss", show(at("loss", 1))],
      ...(isPhase
        ? [["▼ a phase begins here, as fitted", "several measures change course"] as const]
        : []),
    ],
    note: bundle.definition("accuracy")?.definition ?? "",
  };
}

function curves(bundle: Bundle) {
  const { steps, tokens } = bundle.manifest;
  const [loss, accuracy, own] = (["loss", "accuracy", "token_accuracy"] as const).map((name) =>
    bundle.array(name),
  );
  const held = bundle.array("holdout_accuracy");
  return {
    columns: ["step", "loss", "accuracy", ...tokens, ...(held ? ["second probe"] : [])],
    rows: steps.map((step, k) => [
      step,
      loss?.at(k, 1) ?? Number.NaN,
      accuracy?.at(k, 1) ?? Number.NaN,
      ...tokens.map((_, token) => own?.at(k, 1, token) ?? Number.NaN),
      ...(held ? [held.at(k)] : []),
    ]),
  };
}
