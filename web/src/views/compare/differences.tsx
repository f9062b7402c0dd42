/** Under the two pictures: accuracies of both runs over training, and token by token. */
import { useMemo } from "preact/hooks";
import { linear, percent, show } from "../../draw/canvas";
import { drawEnds, drawLine } from "../../draw/curve";
import { useApp, type App } from "../../shell/app";
import { Drawing, type Size } from "../../shell/drawing";
import { Num } from "../../shell/hover";
import { TokenName } from "../../shell/token";
import { partedAt } from "../../state/mirror";
import { stepAt } from "../../state/state";
import { axis } from "../../timeline/axis";
import { kinship, namesOfBoth, tokenRows } from "./differ";

export function Differences({ other }: { other: App }) {
  const app = useApp();
  const { store } = app;
  const [left, right] = [store.bundle.value, other.store.bundle.value];
  const names = namesOfBoth(left, right);
  const rows = tokenRows(left, right, store.still.value.step, other.store.still.value.step);
  return (
    <div class="differences" tabIndex={0} role="region" aria-label="What differs">
      <Curves other={other} />
      <div>
        <table>
          <thead>
            <tr>
              <th scope="col">token</th>
              <th scope="col">{names[0]}</th>
              <th scope="col">{names[1]}</th>
              <th scope="col">difference</th>
              <th scope="col">classified better than chance</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.token}>
                <th scope="row">
                  <Token name={row.token} />
                </th>
                <td>
                  <Num of="token_accuracy" value={row.left} as={percent} />
                </td>
                <td>
                  <Num of="token_accuracy" value={row.right} as={percent} />
                </td>
                <td>{points(row.right - row.left)}</td>
                <td>
                  {row.leftOnset} <span class="quiet">|</span> {row.rightOnset}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        <p class="quiet small">{kinship(left, right)}</p>
      </div>
    </div>
  );
}

function Token({ name }: { name: string }) {
  const token = useApp().store.bundle.value.manifest.tokens.indexOf(name);
  return token < 0 ? <>{name}</> : <TokenName token={token} />;
}

export const points = (share: number): string =>
  Number.isFinite(share)
    ? `${share < 0 ? "−" : "+"}${Math.abs(Math.round(share * 100))} points`
    : "–";

function Curves({ other }: { other: App }) {
  const app = useApp();
  const acts = useMemo(() => curves(app, other), [other]);
  const names = namesOfBoth(app.store.bundle.value, other.store.bundle.value);
  const label = "Accuracy of both runs over training";
  return (
    <figure class="chart">
      <figcaption>
        {label}: solid {names[0]}, dashed {names[1]}
      </figcaption>
      <Drawing label={label} {...acts} />
    </figure>
  );
}

const accuracies = ({ bundle }: App): number[] =>
  bundle.manifest.steps.map((_, k) => bundle.array("accuracy")?.at(k, 1) ?? Number.NaN);

function curves(app: App, other: App) {
  const longest = () =>
    (app.store.steps.at(-1) ?? 0) >= (other.store.steps.at(-1) ?? 0) ? app : other;
  const place = ({ width, height }: Size) => {
    const [left, right, top, bottom] = [30, width - 6, 4, height - 6];
    const y = linear(0, 1, bottom - 1, top + 1);
    const ends: [number, number] = [0, 1];
    return { axis: axis(longest().store.steps, left, right), y, ends, left, right, top, bottom };
  };
  return {
    paint: (pen: CanvasRenderingContext2D, size: Size) => {
      const own = place(size);
      const { ink, quiet } = app.palette.value;
      for (const [one, dash] of [
        [app, []],
        [other, [5, 3]],
      ] as const) {
        pen.setLineDash(dash);
        const line = { values: accuracies(one), colour: ink, width: 1.6, alpha: 1 };
        drawLine(pen, { ...own, steps: one.store.steps }, line);
        const x = own.axis.x(stepAt(one.store.position.value, one.store.steps));
        pen.fillStyle = ink;
        pen.fillRect(x - 0.5, own.top, 1, own.bottom - own.top);
      }
      pen.setLineDash([]);
      const parted = partedAt(app.bundle.manifest.run, other.bundle.manifest.run);
      if (parted !== null) {
        pen.fillStyle = quiet;
        pen.fillRect(own.axis.x(parted) - 1, own.top, 2, own.bottom - own.top);
        pen.fillText("they part", own.axis.x(parted) + 4, own.bottom - 6);
      }
      drawEnds(pen, { ...own, steps: app.store.steps }, app.palette.value);
    },
    hover: (x: number, _y: number, size: Size) => {
      const step = stepAt(place(size).axis.position(x), longest().store.steps);
      return {
        title: `step ${show(Math.round(step), 0)}`,
        rows: [app, other].map(({ bundle, store }): [string, string] => {
          const k = nearestIndex(store.steps, step);
          const value = percent(bundle.array("accuracy")?.at(k, 1) ?? null);
          return [`${bundle.manifest.run.name}, step ${store.steps[k] ?? 0}`, value];
        }),
        note: app.bundle.definition("accuracy")?.definition ?? "",
      };
    },
  };
}

const nearestIndex = (steps: readonly number[], step: number): number =>
  steps.reduce(
    (best, one, k) => (Math.abs(one - step) < Math.abs((steps[best] ?? 0) - step) ? k : best),
    0,
  );
