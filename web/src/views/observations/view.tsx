/** Observations: what was found, how large it is, against which null; each leads to its view. */
import type { Observation, Where } from "../../data/manifest";
import { show } from "../../draw/canvas";
import { linear } from "../../draw/canvas";
import { useApp, type App } from "../../shell/app";
import { Frame } from "../../shell/frame";
import { positionOf, type State } from "../../state/state";

/** The state in which an observation is seen. */
export function placeOf(app: App, where: Where): Partial<State> {
  const { bundle, store, views } = app;
  const change: Partial<State> = { unit: null, token: null };
  const view = views.find(({ key }) => key === where.view);
  if (view) change.view = view.key;
  if (where.step !== undefined) change.step = Math.round(positionOf(where.step, store.steps));
  const layer = bundle.layersAll().indexOf(where.layer ?? "");
  if (layer >= 0) change.layer = layer;
  const token = bundle.manifest.tokens.indexOf(where.token ?? "");
  if (token >= 0) change.token = token;
  if (where.unit !== undefined) change.unit = bundle.units.index(where.unit);
  return change;
}

export function Observations() {
  const app = useApp();
  const { manifest } = app.store.bundle.value;
  const { observations, texts } = manifest;
  return (
    <Frame
      name="observations"
      hasPicture={false}
      title={
        observations.length > 0
          ? `${observations.length} things this run shows beyond chance`
          : "What this run shows"
      }
      how="Each statement has its size with its interval (dot and line), and the null it was held against (grey). Clearest first; click one to see it where and when it happened."
      table={() => ({
        columns: ["statement", "kind", "effect", "units", "low", "high", "bound", "null", "p"],
        rows: observations.map((one) => [
          one.text,
          one.kind,
          one.effect ?? Number.NaN,
          one.units,
          one.interval?.[0] ?? Number.NaN,
          one.interval?.[1] ?? Number.NaN,
          one.bound ?? Number.NaN,
          one.null,
          one.p ?? Number.NaN,
        ]),
      })}
    >
      <div class="observations" tabIndex={0} role="region" aria-label="Observations">
        {texts.answers.length > 0 && observations.length === 0 && (
          <ul class="answers">
            {texts.answers.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        )}
        <ol>
          {observations.map((one, k) => (
            <li key={k}>
              <button type="button" onClick={() => app.store.set(placeOf(app, one.where))}>
                <Row one={one} />
              </button>
            </li>
          ))}
        </ol>
        {observations.length === 0 && (
          <p class="absent">No observations here – {app.bundle.why("observations")}.</p>
        )}
      </div>
    </Frame>
  );
}

function Row({ one }: { one: Observation }) {
  const { step, layer, unit, token, view } = one.where;
  const [low, high] = one.interval ?? [];
  return (
    <>
      <span class="text">{one.text}</span>
      <Whisker one={one} />
      <span class="numbers">
        <b>{show(one.effect)}</b>
        {one.units !== "1" && one.units !== "" && ` ${one.units}`}
        {one.interval && (
          <span class="quiet" title={one.intervalIs}>
            {isOfSteps(one)
              ? ` (onset: steps ${show(low, 0)} … ${show(high, 0)})`
              : ` [${show(low)}, ${show(high)}]`}
          </span>
        )}
        {one.p !== null && <span> p = {one.p < 0.001 ? "<.001" : show(one.p, 3)}</span>}
      </span>
      <span class="quiet small">
        {one.null && `null: ${one.null}${one.bound === null ? "" : ` (${show(one.bound)})`} · `}
        {[view, step === undefined ? null : `step ${step}`, unit ?? layer, token]
          .filter(Boolean)
          .join(" · ")}{" "}
        →
      </span>
    </>
  );
}

/** Whether the interval is that of an onset, not of the effect. */
const isOfSteps = ({ intervalIs, units }: Observation): boolean =>
  /^steps/.test(intervalIs) && !/steps/.test(units);

/** The effect with its interval, and where nothing would be. */
function Whisker({ one }: { one: Observation }) {
  if (one.effect === null) return null;
  const [low, high] = isOfSteps(one) || !one.interval ? [one.effect, one.effect] : one.interval;
  const bound = one.bound ?? 0;
  const values = [0, bound, one.effect, low, high];
  const x = linear(Math.min(...values), Math.max(...values), 4, 116);
  return (
    <svg class="whisker" width="120" height="14" aria-hidden="true">
      <rect
        x={Math.min(x(0), x(bound))}
        width={Math.abs(x(bound) - x(0))}
        y="0"
        height="14"
        class="null"
      />
      <line
        x1={x(0)}
        x2={x(0)}
        y1="0"
        y2="14"
        stroke="currentColor"
        stroke-width="1"
        opacity="0.4"
      />
      <line x1={x(low)} x2={x(high)} y1="7" y2="7" stroke="currentColor" stroke-width="2" />
      <circle cx={x(one.effect)} cy="7" r="4" fill="currentColor" />
    </svg>
  );
}
