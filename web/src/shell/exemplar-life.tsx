/** An exemplar's life: what it is called at every step, and how typical of its token it is. */
import { useMemo } from "preact/hooks";
import { calledAt, forgotten } from "../data/lives";
import { interval, linear, show } from "../draw/canvas";
import { drawLine } from "../draw/curve";
import { stepAt } from "../state/state";
import { axis } from "../timeline/axis";
import { useApp, type App } from "./app";
import { Drawing, type Size } from "./drawing";
import { Num, tipOf } from "./hover";

const STRIP = 14;

export function ExemplarLife({ exemplar }: { exemplar: number }) {
  const app = useApp();
  const bundle = app.store.bundle.value;
  const acts = useMemo(() => interaction(app, exemplar), [exemplar]);
  const kept = bundle.array("kept_by")?.at(exemplar);
  const typical = bundle.array("typicality");
  if (!bundle.array("logit")) return null;
  const lost = forgotten(bundle, exemplar);
  return (
    <>
      <dl class="facts">
        {kept !== undefined && (
          <div>
            <dt>classified correctly until the end</dt>
            <dd>
              <Num
                of="kept_by"
                value={Number.isNaN(kept) ? Infinity : kept}
                as={(v) => interval(bundle.array("kept_after")?.at(exemplar) ?? NaN, v)}
              />
            </dd>
          </div>
        )}
        <div>
          <dt>forgotten on the way</dt>
          <dd>{lost === 0 ? "never" : lost === 1 ? "once" : `${lost} times`}</dd>
        </div>
        {typical && (
          <div>
            <dt>typicality now</dt>
            <dd>
              <Num of="typicality" value={typical.at(app.store.still.value.step, exemplar)} />
            </dd>
          </div>
        )}
      </dl>
      <h3>As what it is classified, over training</h3>
      <Drawing
        class="life-chart"
        label="As what the exemplar is classified at every step"
        {...acts}
      />
      <p class="quiet small">
        Strip: the token as which it is classified.{" "}
        {typical && "Line: distance from its token’s centre; 1 is usual, low is typical."}
      </p>
    </>
  );
}

function interaction(app: App, exemplar: number) {
  const { steps } = app.store;
  const place = ({ width, height }: Size) => {
    const own = axis(steps, 4, width - 4);
    const y = linear(0, 2.2, height - 3, STRIP + 8);
    const ends: [number, number] = [0, 2.2];
    return { steps, axis: own, y, ends, left: 4, right: width - 4, top: 0, bottom: height };
  };
  return {
    paint: (pen: CanvasRenderingContext2D, size: Size) => {
      const own = place(size);
      const { tokens, quiet, ink, line } = app.palette.value;
      steps.forEach((step, k) => {
        const called = calledAt(app.bundle, k, exemplar);
        const [x, end] = [own.axis.x(step), own.axis.x(steps[k + 1] ?? step)];
        pen.fillStyle = called === null ? line : (tokens[called] ?? quiet);
        pen.fillRect(x, 2, Math.max(2, end - x + 0.5), STRIP);
      });
      const typical = app.bundle.array("typicality");
      if (typical) {
        pen.fillStyle = line;
        pen.fillRect(own.left, own.y(1), own.right - own.left, 1);
        const values = steps.map((_, k) => typical.at(k, exemplar));
        drawLine(pen, own, { values, colour: ink, width: 1.4, alpha: 1 });
      }
      pen.fillStyle = ink;
      const x = own.axis.x(stepAt(app.store.position.value, steps));
      pen.fillRect(x - 0.5, 0, 1, size.height);
    },
    hover: (x: number, _y: number, size: Size) => {
      const k = Math.round(place(size).axis.position(x));
      const called = calledAt(app.bundle, k, exemplar);
      const name = called === null ? "–" : (app.bundle.manifest.tokens[called] ?? "–");
      const value = app.bundle.array("typicality")?.at(k, exemplar) ?? Number.NaN;
      const tip = tipOf(
        app,
        "typicality",
        value,
        `step ${show(steps[k] ?? 0)}: classified as ${name}`,
      );
      return tip;
    },
  };
}
