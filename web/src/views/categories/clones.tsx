/** Real images against Gaussian clones: from when on means and covariances do not explain it. */
import { useMemo } from "preact/hooks";
import type { ArrayName } from "../../data/names";
import { FONT, interval, linear, percent } from "../../draw/canvas";
import { band, drawEnds, drawLine } from "../../draw/curve";
import { useApp, type App } from "../../shell/app";
import { Drawing, type Size } from "../../shell/drawing";
import { Num, tipOf } from "../../shell/hover";
import { stepAt } from "../../state/state";
import { axis } from "../../timeline/axis";

export function Clones() {
  const app = useApp();
  const bundle = app.store.bundle.value;
  const acts = useMemo(() => interaction(app), []);
  const { step } = app.store.still.value;
  const at = (name: ArrayName, k: number, ...rest: number[]) =>
    bundle.array(name)?.at(k, ...rest) ?? Number.NaN;
  const by = bundle.array("clone_gap_by")?.flat(0);
  return (
    <figure class="chart">
      <figcaption>
        classified correctly: images{" "}
        <Num of="accuracy" value={at("accuracy", step, 1)} as={percent} />, their clones{" "}
        <Num of="clone_accuracy" value={at("clone_accuracy", step)} as={percent} />
      </figcaption>
      <Drawing label="Accuracy on images and on their Gaussian clones over steps" {...acts} />
      {by !== undefined && (
        <p class="small">
          More than means and covariances is used{" "}
          <Num
            of="clone_gap_by"
            value={by}
            as={(v) => interval(after(bundle.array("clone_gap_after")), v)}
          />
          .
        </p>
      )}
    </figure>
  );
}

const after = (field: { flat(place: number): number } | null): number => field?.flat(0) ?? NaN;

function interaction(app: App) {
  const place = ({ width, height }: Size) => {
    const [left, right, top, bottom] = [30, width - 6, 6, height - 6];
    const { steps } = app.store;
    const y = linear(0, 1, bottom - 1, top + 1);
    const ends: [number, number] = [0, 1];
    return { steps, axis: axis(steps, left, right), y, ends, left, right, top, bottom };
  };
  const column = (name: ArrayName, ...rest: number[]) =>
    app.store.steps.map((_, k) => app.bundle.array(name)?.at(k, ...rest) ?? Number.NaN);
  return {
    paint: (pen: CanvasRenderingContext2D, size: Size) => {
      const own = place(size);
      const { ink, quiet, band: grey } = app.palette.value;
      const [real, clone] = [column("accuracy", 1), column("clone_accuracy")];
      const [low, high] = [column("clone_gap_low"), column("clone_gap_high")];
      const lower = low.map((gap, k) => (clone[k] ?? NaN) + gap);
      const upper = high.map((gap, k) => (clone[k] ?? NaN) + gap);
      band(pen, own, lower, upper, grey, 1);
      drawLine(pen, own, { values: real, colour: ink, width: 2, alpha: 1 });
      pen.setLineDash([4, 3]);
      drawLine(pen, own, { values: clone, colour: quiet, width: 2, alpha: 1 });
      pen.setLineDash([]);
      drawEnds(pen, own, app.palette.value);
      pen.fillStyle = ink;
      pen.font = `11px ${FONT}`;
      pen.textAlign = "left";
      pen.textBaseline = "top";
      pen.fillText("— images     - - their clones", own.left + 8, own.top + 6);
      const x = own.axis.x(stepAt(app.store.position.value, app.store.steps));
      pen.fillRect(x - 0.5, own.top, 1, own.bottom - own.top);
    },
    hover: (x: number, _y: number, size: Size) => {
      const k = Math.round(place(size).axis.position(x));
      const value = app.bundle.array("clone_accuracy")?.at(k) ?? Number.NaN;
      const tip = tipOf(app, "clone_accuracy", value, `step ${app.store.steps[k] ?? 0}`);
      const real = percent(app.bundle.array("accuracy")?.at(k, 1) ?? null);
      return { ...tip, rows: [...(tip.rows ?? []), ["accuracy", real] as const] };
    },
  };
}
