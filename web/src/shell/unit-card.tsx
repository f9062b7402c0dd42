/** A unit: its pictures, its tuning, its life, what it is built from and what uses it. */
import { assemblyAt, describe } from "../data/assemblies";
import { couplingsOf, neighbours } from "../data/couplings";
import { preferredToken, tokenSignal } from "../data/facts";
import { pictureOf, topExemplar } from "../data/pictures";
import type { ArrayName } from "../data/names";
import { interval, show } from "../draw/canvas";
import { useApp } from "./app";
import { Asked } from "./asked";
import { GainCard } from "./gain-card";
import { Num, tipOf } from "./hover";
import { Thumb } from "./thumb";
import { TokenMark, TokenName } from "./token";

const TOPS = [0, 1, 2, 3, 4, 5];

export function UnitCard({ unit }: { unit: number }) {
  const app = useApp();
  const { store } = app;
  const bundle = store.bundle.value;
  const { step } = store.still.value;
  const at = bundle.manifest.steps[step] ?? 0;
  const name = bundle.units.name(unit);
  const token = preferredToken(bundle, unit, step);
  const signal = tokenSignal(bundle, unit, step);
  const picture = pictureOf(bundle, unit, at);
  return (
    <section>
      <h2>{name}</h2>
      <div class="pictures">
        <Thumb picture={picture} side={104} label={`Preferred image of ${name}`} />
        <div class="tops">
          {TOPS.map((rank) => (
            <Thumb
              key={rank}
              picture={topExemplar(bundle, unit, rank)}
              side={33}
              label={`Exemplar ${rank + 1} that excites ${name} most`}
            />
          ))}
        </div>
      </div>
      {picture && <p class="quiet small">{caption(picture.kind, picture.step)}</p>}
      <dl class="facts">
        <div>
          <dt>responds most to</dt>
          <dd>{token === null ? "–" : <TokenName token={token} />}</dd>
        </div>
        <div>
          <dt>token signal</dt>
          <dd>
            <Num of="token_signal" value={signal.value} />
          </dd>
        </div>
        <div>
          <dt>its null</dt>
          <dd>
            <Num
              of={
                bundle.definition("token_signal_upper") ? "token_signal_upper" : "token_signal_null"
              }
              value={signal.null}
            />
          </dd>
        </div>
        <div>
          <dt>mean activation</dt>
          <dd>
            <Num of="unit_mean" value={bundle.array("unit_mean")?.at(step, unit) ?? null} />
          </dd>
        </div>
        <Life unit={unit} />
      </dl>
      <Assembly unit={unit} />
      <GainCard unit={unit} />
      <Asked key={unit} unit={unit} />
      <Tuning unit={unit} />
      <Links unit={unit} direction="down" title="Built from" />
      <Together unit={unit} />
      <Links unit={unit} direction="up" title="Used by" />
      <div class="links">
        <button type="button" onClick={() => store.set({ view: "construction", unit })}>
          its ancestry
        </button>
        <button
          type="button"
          onClick={() =>
            store.set({ view: "detectors", unit, layer: bundle.units.layer(unit) + 1 })
          }
        >
          its layer’s detectors
        </button>
      </div>
    </section>
  );
}

function Assembly({ unit }: { unit: number }) {
  const { store } = useApp();
  const bundle = store.bundle.value;
  const { step } = store.still.value;
  const group = assemblyAt(bundle, unit, step);
  return group === null ? null : <p class="small">Assembly {describe(bundle, group, step)}.</p>;
}

const caption = (kind: string, step: number | undefined): string =>
  kind === "film"
    ? `Left: image made to excite it most, at step ${step ?? "–"}. Right: exemplars that do.`
    : kind === "preferred"
      ? "Left: image made to excite it most, at the last step. Right: exemplars that do."
      : "The parts of exemplars that excite it most, at the last step.";

function Life({ unit }: { unit: number }) {
  const { store } = useApp();
  const bundle = store.bundle.value;
  const by = bundle.array("unit_onset_by");
  if (!by) return null;
  const [lockin, death] = [bundle.array("lockin")?.at(unit), bundle.array("death")?.at(unit)];
  const after = bundle.array("unit_onset_after")?.at(unit) ?? Number.NaN;
  return (
    <>
      <div>
        <dt>discriminates tokens</dt>
        <dd>
          <Num of="unit_onset_by" value={by.at(unit)} as={(v) => interval(after, v)} />
        </dd>
      </div>
      <div>
        <dt>keeps its token from step</dt>
        <dd>
          <Num
            of="lockin"
            value={lockin ?? null}
            as={(v) => (Number.isFinite(v) ? show(v, 0) : "not yet")}
          />
        </dd>
      </div>
      {death !== undefined && Number.isFinite(death) && (
        <div>
          <dt>inactive from step</dt>
          <dd>
            <Num of="death" value={death} as={(v) => show(v, 0)} />
          </dd>
        </div>
      )}
    </>
  );
}

function Tuning({ unit }: { unit: number }) {
  const app = useApp();
  const bundle = app.store.bundle.value;
  const response = bundle.shown("token_response");
  const { step } = app.store.still.value;
  if (!response) return null;
  const values = bundle.manifest.tokens.map((_, token) => response.at(step, unit, token));
  const most = Math.max(0.5, ...values.map((v) => Math.abs(v) || 0));
  return (
    <>
      <h3>
        Tuning at this step <span class="quiet">(in standard deviations)</span>
      </h3>
      <ul class="rows">
        {values.map((value, token) => (
          <li
            key={token}
            onPointerMove={(event) =>
              (app.tip.value = {
                x: event.clientX,
                y: event.clientY,
                tip: tipOf(app, bundle.nameOf("token_response"), value),
              })
            }
            onPointerLeave={() => (app.tip.value = null)}
          >
            <TokenMark token={token} />
            <SignedBar value={value / most} colour={app.palette.value.tokens[token] ?? ""} />
            <span class="value">{show(value)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

/** A bar from the middle: to the right where positive, to the left where negative. */
export function SignedBar({ value, colour }: { value: number; colour: string }) {
  const size = Math.min(50, Math.abs(value) * 50) || 0;
  return (
    <svg class="signed" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      <rect x={value < 0 ? 50 - size : 50} y="0.5" width={size} height="7" fill={colour} />
      <line x1="50" x2="50" y1="0" y2="8" stroke="currentColor" stroke-width="0.6" />
    </svg>
  );
}

/** Pairs of its strongest sources that do more, or less, together than each alone. */
function Together({ unit }: { unit: number }) {
  const { store } = useApp();
  const bundle = store.bundle.value;
  const { step } = store.still.value;
  const size = bundle.array("interaction");
  const below = bundle.manifest.layers[bundle.units.layer(unit) - 1];
  const at = (name: ArrayName, pair: number) =>
    bundle.array(name)?.at(step, unit, pair) ?? Number.NaN;
  const pairs = Array.from({ length: size?.size("pair") ?? 0 }, (_, pair) => pair).filter(
    (pair) => Number.isFinite(at("interaction", pair)) && at("interaction_first", pair) >= 0,
  );
  if (pairs.length === 0 || !below) return null;
  return (
    <>
      <h3>
        Together <span class="quiet">(+ more than the sum of each alone)</span>
      </h3>
      <ul class="rows">
        {pairs.map((pair) => (
          <li key={pair}>
            <span>
              {below.name}:{at("interaction_first", pair)} with {below.name}:
              {at("interaction_second", pair)}
            </span>
            <span class="value">
              <Num of="interaction" value={at("interaction", pair)} />
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

function Links({
  unit,
  direction,
  title,
}: {
  unit: number;
  direction: "down" | "up";
  title: string;
}) {
  const app = useApp();
  const { store, palette } = app;
  const bundle = store.bundle.value;
  const { step, token, weights } = store.still.value;
  const couplings = couplingsOf(bundle);
  if (!couplings) return null;
  const found = neighbours(couplings, unit, direction, step, { weights, token }, 6);
  if (found.length === 0) return null;
  const most = Math.max(...found.map(({ weight }) => Math.abs(weight)));
  const of = token === null ? (weights === "signal" ? "coupling_signal" : "coupling") : "contrast";
  return (
    <>
      <h3>
        {title}{" "}
        <span class="quiet">
          (
          {token === null
            ? weights === "signal"
              ? "share between tokens"
              : "share of variance"
            : `contrast, ${bundle.manifest.tokens[token] ?? ""}`}
          )
        </span>
      </h3>
      <ul class="rows">
        {found.map(({ unit: other, weight, edge }) => {
          const [r, g, b] = weight < 0 ? palette.value.negative : palette.value.positive;
          return (
            <li key={edge}>
              <button
                type="button"
                disabled={bundle.units.isPixel(other)}
                onClick={() => store.set({ unit: other })}
              >
                <Thumb
                  picture={pictureOf(bundle, other, bundle.manifest.steps[step] ?? 0)}
                  side={22}
                  label=""
                />
                <span class="name">{bundle.units.name(other)}</span>
                <SignedBar value={weight / most} colour={`rgb(${r},${g},${b})`} />
                <span class="value">
                  <Num of={of} value={weight} />
                </span>
              </button>
            </li>
          );
        })}
      </ul>
    </>
  );
}
