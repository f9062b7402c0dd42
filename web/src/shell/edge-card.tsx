/** A coupling: its ends, and how its shares came about over training. */
import { useMemo } from "preact/hooks";
import { couplingsOf, edgeBetween, type Couplings } from "../data/couplings";
import { edgeGainOf, gainLinksOf } from "../data/gains";
import { pictureOf } from "../data/pictures";
import { interval, linear, show } from "../draw/canvas";
import { band, drawEnds, drawLine } from "../draw/curve";
import { endsOf, stepAt } from "../state/state";
import { axis } from "../timeline/axis";
import { useApp, type App } from "./app";
import { Drawing, type Size } from "./drawing";
import { Num, tipOf } from "./hover";
import { Thumb } from "./thumb";
import { TokenName } from "./token";

export function EdgeCard({ edge: code }: { edge: number }) {
  const { store } = useApp();
  const bundle = store.bundle.value;
  const { step } = store.still.value;
  const [source, target] = endsOf(code);
  const couplings = couplingsOf(bundle);
  const edge = couplings && edgeBetween(couplings, source, target);
  const ends = [source, target] as const;
  return (
    <section>
      <h2>
        {bundle.units.name(source)} → {bundle.units.name(target)}
      </h2>
      <div class="pictures">
        {ends.map((unit) => (
          <Thumb
            key={unit}
            picture={pictureOf(bundle, unit, bundle.manifest.steps[step] ?? 0)}
            side={72}
            label={bundle.units.name(unit)}
            {...(bundle.units.isPixel(unit)
              ? {}
              : { click: () => store.set({ unit, edge: null }) })}
          />
        ))}
      </div>
      <Gain source={source} target={target} />
      {couplings && edge !== null ? (
        <Shares couplings={couplings} edge={edge} />
      ) : (
        <p class="quiet">The page was not given its coupling: it was never among the strongest.</p>
      )}
    </section>
  );
}

/** The gain through it, where the page was given it. */
function Gain({ source, target }: { source: number; target: number }) {
  const { store } = useApp();
  const bundle = store.bundle.value;
  const links = gainLinksOf(bundle);
  const edge = links && edgeBetween(links, source, target);
  if (!links || edge === null) return null;
  const own = edgeGainOf(links, bundle, edge, store.still.value.step);
  return (
    <dl class="facts">
      <div>
        <dt>gain through it at step {show(own.step, 0)}</dt>
        <dd>
          <Num of="edge_gain" value={own.gain} as={(v) => show(v, 3)} />
        </dd>
      </div>
      <div>
        <dt>mean of 19 parents like it</dt>
        <dd>
          <Num of="edge_gain_matched" value={own.matched} as={(v) => show(v, 3)} />
        </dd>
      </div>
      <div>
        <dt>p among them</dt>
        <dd>
          <Num of="edge_gain_p" value={own.p} />
        </dd>
      </div>
    </dl>
  );
}

function Shares({ couplings, edge }: { couplings: Couplings; edge: number }) {
  const app = useApp();
  const { store } = app;
  const bundle = store.bundle.value;
  const { step } = store.still.value;
  const { total, signal, contrast } = couplings.fields;
  const acts = useMemo(() => chart(app, couplings, edge), [couplings, edge]);
  return (
    <>
      <dl class="facts">
        <div>
          <dt>share of variance</dt>
          <dd>
            <Num of="coupling" value={total.at(step, edge)} />
          </dd>
        </div>
        <div>
          <dt>of it between tokens</dt>
          <dd>
            <Num of="coupling_signal" value={signal?.at(step, edge) ?? null} />
          </dd>
        </div>
        <Life edge={edge} />
      </dl>
      <h3>
        Over training <span class="quiet">(black: share; colours: each token’s contrast)</span>
      </h3>
      <Drawing
        class="edge-chart"
        label="Share and contrasts of this coupling over steps"
        {...acts}
      />
      {contrast && (
        <ul class="rows">
          {bundle.manifest.tokens.map((_, token) => (
            <li key={token}>
              <span class="name wide">
                <TokenName token={token} />
              </span>
              <span class="value">
                <Num of="contrast" value={contrast.at(step, edge, token)} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function Life({ edge }: { edge: number }) {
  const bundle = useApp().store.bundle.value;
  const by = bundle.array("edge_birth_by")?.at(edge);
  const death = bundle.array("edge_death")?.at(edge) ?? Number.NaN;
  if (by === undefined) return null;
  return (
    <>
      <div>
        <dt>above its null</dt>
        <dd>
          <Num
            of="edge_birth_by"
            value={by}
            as={(v) => interval(bundle.array("edge_birth_after")?.at(edge) ?? Number.NaN, v)}
          />
        </dd>
      </div>
      {Number.isFinite(death) && (
        <div>
          <dt>below its null again</dt>
          <dd>
            <Num
              of="edge_death"
              value={death}
              as={(v) => interval(bundle.array("edge_death_after")?.at(edge) ?? Number.NaN, v)}
            />
          </dd>
        </div>
      )}
    </>
  );
}

function chart(app: App, { fields, target }: Couplings, edge: number) {
  const { steps } = app.store;
  const { bundle } = app;
  const tokens = bundle.manifest.tokens.map((_, token) =>
    steps.map((_, k) => fields.contrast?.at(k, edge, token) ?? Number.NaN),
  );
  const total = steps.map((_, k) => fields.total.at(k, edge));
  const layer = bundle.units.layer(target[edge] ?? -1);
  const nulls = steps.map((_, k) => bundle.array("coupling_null")?.at(k, layer) ?? Number.NaN);
  const known = [...total, ...tokens.flat()].filter(Number.isFinite);
  const ends: [number, number] = [Math.min(0, ...known), Math.max(0.01, ...known)];
  const place = (size: Size) => {
    const [left, right, top, bottom] = [32, size.width - 4, 4, size.height - 4];
    const y = linear(ends[0], ends[1], bottom - 2, top + 2);
    return { steps, axis: axis(steps, left, right), y, ends, left, right, top, bottom };
  };
  return {
    paint: (pen: CanvasRenderingContext2D, size: Size) => {
      const own = place(size);
      const { ink, quiet, line, band: grey, tokens: colours } = app.palette.value;
      const { token } = app.store.state.value;
      band(
        pen,
        own,
        nulls.map((v) => Math.max(ends[0], -v)),
        nulls,
        grey,
        1,
      );
      pen.fillStyle = line;
      pen.fillRect(own.left, own.y(0), own.right - own.left, 1);
      tokens.forEach((values, k) => {
        const alpha = token === null || token === k ? 0.9 : 0.2;
        drawLine(pen, own, { values, colour: colours[k] ?? quiet, width: 1.3, alpha });
      });
      drawLine(pen, own, { values: total, colour: ink, width: 2, alpha: 1 });
      drawEnds(pen, own, app.palette.value);
      pen.fillStyle = ink;
      const x = own.axis.x(stepAt(app.store.position.value, steps));
      pen.fillRect(x - 0.5, own.top, 1, own.bottom - own.top);
    },
    hover: (x: number, _y: number, size: Size) => {
      const k = Math.round(place(size).axis.position(x));
      return tipOf(app, "coupling", total[k] ?? Number.NaN, `step ${steps[k] ?? 0}`);
    },
  };
}
