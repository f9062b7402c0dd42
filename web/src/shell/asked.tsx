/** What a served page can have made on demand for a unit: its image at this step, its whole map. */
import { signal, type Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import {
  ask,
  mapEnds,
  mapPath,
  preferredPath,
  readMap,
  readWithout,
  withoutPath,
  type Answer,
  type Without,
} from "../data/ask";
import { drawPicture, exemplarPicture } from "../data/pictures";
import { percent, show } from "../draw/canvas";
import { css, viridis } from "../draw/colour";
import { useApp } from "./app";
import { Drawing, type Size } from "./drawing";

/** Run some work and keep what became of it; an answer that comes too late is dropped. */
export async function follow<T>(kept: Signal<Answer<T>>, work: Promise<T>): Promise<void> {
  const mine: Answer<T> = { state: "working" };
  kept.value = mine;
  try {
    const value = await work;
    if (kept.value === mine) kept.value = { state: "there", value };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (kept.value === mine) kept.value = { state: "failed", why };
  }
}

export function Asked({ unit }: { unit: number }) {
  const { store, source } = useApp();
  const bundle = store.bundle.value;
  const { step, exemplar } = store.still.value;
  const recorded = bundle.manifest.steps[step] ?? 0;
  const own = useMemo(
    () => ({
      step: signal(recorded),
      image: signal<Answer<ImageBitmap | null>>({ state: "none" }),
      map: signal<Answer<number[][]>>({ state: "none" }),
      without: signal<Answer<Without>>({ state: "none" }),
    }),
    [],
  );
  useEffect(() => {
    own.step.value = recorded;
  }, [recorded]);
  const name = bundle.units.name(unit);
  const id = exemplar === null ? null : (bundle.array("exemplar_id")?.at(exemplar) ?? null);
  useEffect(() => {
    own.image.value = { state: "none" };
    own.map.value = { state: "none" };
    own.without.value = { state: "none" };
  }, [unit, exemplar, own.step.value]);
  if (!source || source.address("") === null) return null;
  const address = (path: string) => source.address(path) ?? "";
  const image = async () => {
    const answer = await ask(address(preferredPath(own.step.value, name)));
    return answer.status === 204 ? null : createImageBitmap(await answer.blob());
  };
  const map = async () =>
    readMap(await (await ask(address(mapPath(own.step.value, name, id ?? 0)))).json());
  const without = async () =>
    readWithout(await (await ask(address(withoutPath(own.step.value, name)))).json());
  const isLogit = bundle.units.layer(unit) === bundle.manifest.layers.length - 1;
  return (
    <section class="asked">
      <h3>Made for you by the server</h3>
      <p class="links">
        <label>
          at step{" "}
          <input
            type="number"
            min={bundle.manifest.steps[0] ?? 0}
            max={bundle.manifest.steps.at(-1) ?? 0}
            value={own.step.value}
            aria-label="Step that the server is asked for; also between snapshots"
            onChange={(event) => {
              const asked = Math.round(Number(event.currentTarget.value));
              if (Number.isFinite(asked)) own.step.value = asked;
            }}
          />
        </label>
        <button type="button" onClick={() => void follow(own.image, image())}>
          preferred image
        </button>
        <button
          type="button"
          disabled={id === null}
          title={id === null ? "Choose an exemplar on a map first" : ""}
          onClick={() => void follow(own.map, map())}
        >
          activation map
        </button>
        {!isLogit && (
          <button
            type="button"
            title="Its activation is set to 0, and the held-out exemplars are classified again"
            onClick={() => void follow(own.without, without())}
          >
            without it
          </button>
        )}
      </p>
      <div role="status">
        <Shown answer={own.image.value}>
          {(bitmap) => <MadeImage bitmap={bitmap} name={name} step={own.step.value} />}
        </Shown>
        <Shown answer={own.map.value}>
          {(values) => <MadeMap values={values} exemplar={exemplar ?? 0} name={name} />}
        </Shown>
        <Shown answer={own.without.value}>
          {(found) => <MadeWithout found={found} name={name} step={own.step.value} />}
        </Shown>
      </div>
    </section>
  );
}

/** How each token is classified, and what its logit is, when the unit's activation is 0. */
function MadeWithout({ found, name, step }: { found: Without; name: string; step: number }) {
  const share = (value: number | null | undefined) => (value == null ? "–" : percent(value));
  const signed = (value: number | null | undefined) =>
    value == null ? "–" : `${value > 0 ? "+" : ""}${value.toFixed(2)}`;
  return (
    <table class="without">
      <caption>
        When the activation of {name} is 0, at step {step.toLocaleString("en")}
      </caption>
      <thead>
        <tr>
          <th scope="col">token</th>
          <th scope="col">correct</th>
          <th scope="col">without it</th>
          <th scope="col">change of the logit in its standard deviations (95 %)</th>
        </tr>
      </thead>
      <tbody>
        {found.token.map((token, k) => (
          <tr key={token}>
            <th scope="row">{token}</th>
            <td>{share(found.accuracy[k])}</td>
            <td>{share(found.accuracy_without[k])}</td>
            <td>
              {signed(found.logit[k])}{" "}
              <span class="quiet">
                ({signed(found.logit_low[k])} to {signed(found.logit_high[k])})
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Shown<T>({
  answer,
  children,
}: {
  answer: Answer<T>;
  children(value: T): ComponentChildren;
}) {
  if (answer.state === "working")
    return <p class="quiet small">working … (a step between snapshots is trained again)</p>;
  if (answer.state === "failed") return <p class="small wrong">{answer.why}</p>;
  return answer.state === "there" ? <>{children(answer.value)}</> : null;
}

function MadeImage({
  bitmap,
  name,
  step,
}: {
  bitmap: ImageBitmap | null;
  name: string;
  step: number;
}) {
  const paint = useMemo(
    () =>
      (pen: CanvasRenderingContext2D, { width, height }: Size) => {
        if (!bitmap) return;
        const side = Math.min(width, height);
        pen.imageSmoothingEnabled = bitmap.width > 14;
        pen.drawImage(bitmap, 0, 0, bitmap.width, bitmap.height, 0, 0, side, side);
      },
    [bitmap],
  );
  if (!bitmap) return <p class="small">{name} has no preferred image: nothing excites it.</p>;
  return (
    <figure class="made">
      <Drawing label={`Preferred image of ${name} at step ${step}`} paint={paint} />
      <figcaption>
        excites {name} most at step {step.toLocaleString("en")}
      </figcaption>
    </figure>
  );
}

function MadeMap({
  values,
  exemplar,
  name,
}: {
  values: number[][];
  exemplar: number;
  name: string;
}) {
  const app = useApp();
  const [low, high] = mapEnds(values);
  const paint = useMemo(
    () =>
      (pen: CanvasRenderingContext2D, { width, height }: Size) => {
        const side = Math.min(width, height);
        const picture = exemplarPicture(app.bundle, exemplar);
        if (picture) drawPicture(pen, picture, 0, 0, side);
        const [rows, columns] = [values.length, values[0]?.length ?? 1];
        const most = Math.max(Math.abs(low), Math.abs(high)) || 1;
        values.forEach((row, y) =>
          row.forEach((value, x) => {
            pen.fillStyle = css(
              viridis(Math.max(0, value) / most),
              0.15 + 0.6 * Math.min(1, Math.abs(value) / most),
            );
            pen.fillRect((x * side) / columns, (y * side) / rows, side / columns, side / rows);
          }),
        );
      },
    [values, exemplar],
  );
  return (
    <figure class="made">
      <Drawing
        label={`Activation map of ${name} over the exemplar`}
        paint={paint}
        hover={(x, y, { width, height }) => {
          const side = Math.min(width, height);
          const [row, column] = [
            Math.floor((y / side) * values.length),
            Math.floor((x / side) * (values[0]?.length ?? 1)),
          ];
          const value = values[row]?.[column];
          return value === undefined
            ? null
            : { title: `row ${row}, column ${column}`, rows: [["activation", show(value, 4)]] };
        }}
      />
      <figcaption>
        activation of {name} over the exemplar, {show(low)} … {show(high)}
      </figcaption>
    </figure>
  );
}
