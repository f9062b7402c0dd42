/** Ask: when did it learn to tell these two tokens apart, and which detectors do it? */
import { pictureOf } from "../data/pictures";
import { interval, percent, show } from "../draw/canvas";
import { positionOf } from "../state/state";
import { useApp } from "./app";
import { Num } from "./hover";
import { apart, hardest, tellers, unconfused, type Apart } from "./pair";
import { Thumb } from "./thumb";
import { TokenMark } from "./token";

const SHOWN = 5;

export function PairCard() {
  const { store } = useApp();
  const bundle = store.bundle.value;
  const { tokens, steps } = bundle.manifest;
  const { pair } = useApp();
  const [a, b] = pair.value ?? hardest(bundle);
  if (tokens.length < 2) return null;
  const { step } = store.still.value;
  const layers = apart(bundle, a, b);
  const first = layers.reduce<(typeof layers)[number] | null>(
    (best, one) => (best && best.by <= one.by ? best : one),
    null,
  );
  const start = layers.filter((one) => one.by <= (steps[0] ?? 0)).length;
  const found = tellers(bundle, a, b, step, SHOWN);
  const choose = (which: 0 | 1, token: number) => {
    const next: [number, number] = [a, b];
    next[which] = token;
    if (next[0] === next[1]) next[which === 0 ? 1 : 0] = which === 0 ? a : b;
    pair.value = next;
  };
  return (
    <section>
      <h2>When did it learn to discriminate …</h2>
      <p class="pair">
        <Choice label="One token" value={a} set={(k) => choose(0, k)} /> from{" "}
        <Choice label="Another token" value={b} set={(k) => choose(1, k)} />
      </p>
      {bundle.definition("apart_by") && (
        <>
          <h3>When?</h3>
          {first ? (
            <>
              <When first={first} start={start} />
              {start < layers.length && (
                <ul class="rows">
                  {layers.map(({ layer, by, after }) => (
                    <li key={layer}>
                      <button
                        type="button"
                        onClick={() =>
                          store.set({
                            step: Math.round(positionOf(by, steps)),
                            layer: bundle.layersAll().indexOf(layer),
                            view: "categories",
                          })
                        }
                      >
                        <span class="name">{layer}</span>
                        <Bar share={Math.log1p(by) / Math.log1p(steps.at(-1) ?? 1)} />
                        <span class="value">
                          <Num
                            of="apart_by"
                            value={by}
                            as={() => (Number.isFinite(after) ? `${after}–${by}` : `${by}`)}
                          />
                        </span>
                      </button>
                    </li>
                  ))}
                </ul>
              )}
            </>
          ) : (
            bundle.status("apart_by") === "ready" && (
              <p>
                Not by the end of this run: in no layer do their centres stay more than one spread
                apart.
              </p>
            )
          )}
        </>
      )}
      <Confused a={a} b={b} />
      {found.length > 0 && (
        <>
          <h3>By which detectors, at this step?</h3>
          <ul class="rows">
            {found.map(({ unit, difference }) => (
              <li key={unit}>
                <button type="button" onClick={() => store.set({ unit, view: "construction" })}>
                  <Thumb picture={pictureOf(bundle, unit, steps[step] ?? 0)} side={26} label="" />
                  <span class="name">{bundle.units.name(unit)}</span>
                  <TokenMark token={difference > 0 ? a : b} />
                  <span class="value">
                    <Num
                      of={bundle.nameOf("token_response")}
                      value={Math.abs(difference)}
                      as={(v) => `${show(v, 1)} sd`}
                    />
                  </span>
                </button>
              </li>
            ))}
          </ul>
          <p class="quiet small">
            {found[0]?.isSure === false &&
              "None of them is shown to discriminate tokens beyond chance. "}
            Click one to see what it is built from.
          </p>
        </>
      )}
    </section>
  );
}

/** In which layer the two are separated first; before training that says nothing of learning. */
function When({ first, start }: { first: Apart; start: number }) {
  if (start > 0) {
    return (
      <p>
        Their centres lie more than one spread apart <b>before training already</b>, in {start} of
        these layers: to separate them there nothing had to be learned.
      </p>
    );
  }
  return (
    <p>
      Separated first in <b>{first.layer}</b>,{" "}
      <Num of="apart_by" value={first.by} as={() => interval(first.after, first.by)} />
      {first.confidence && <span class="quiet"> (95 % interval {first.confidence})</span>}.
    </p>
  );
}

function Bar({ share }: { share: number }) {
  return (
    <svg class="signed" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      <line x1="0" x2="100" y1="4" y2="4" stroke="currentColor" stroke-width="0.4" />
      <rect
        x={Math.min(98, 100 * share)}
        y="0.5"
        width={Math.max(2, 100 - 100 * share)}
        height="7"
        fill="currentColor"
        opacity="0.45"
      />
    </svg>
  );
}

function Choice({ label, value, set }: { label: string; value: number; set(token: number): void }) {
  const { store } = useApp();
  return (
    <select
      aria-label={label}
      value={value}
      onChange={(event) => set(Number(event.currentTarget.value))}
    >
      {store.bundle.value.manifest.tokens.map((name, k) => (
        <option key={name} value={k}>
          {name}
        </option>
      ))}
    </select>
  );
}

/** How often the one is called the other at this step. */
function Confused({ a, b }: { a: number; b: number }) {
  const { store } = useApp();
  const bundle = store.bundle.value;
  const confusion = bundle.shown("confusion");
  const { step } = store.still.value;
  const { tokens } = bundle.manifest;
  if (!confusion) return null;
  const told = unconfused(bundle, a, b);
  return (
    <>
      <h3>When does it classify them apart?</h3>
      <p>
        {Number.isFinite(told.by)
          ? `From step ${told.by} on at most a tenth of either is classified as the other${
              Number.isFinite(told.after) ? `; at step ${told.after} this did not hold yet` : ""
            }.`
          : "Not by the end: more than a tenth of one of them is still classified as the other."}
      </p>
      <h3>And at this step?</h3>
      {[
        [a, b],
        [b, a],
      ].map(([x = 0, y = 0]) => (
        <p key={x}>
          <Num of={bundle.nameOf("confusion")} value={confusion.at(step, x, y)} as={percent} /> of{" "}
          {tokens[x]} are classified as {tokens[y]} (
          <Num of={bundle.nameOf("confusion")} value={confusion.at(step, x, x)} as={percent} />{" "}
          correctly)
        </p>
      ))}
    </>
  );
}
