/** Construction of a unit: what it inherits and adds, out of which parents, and what is built on it. */
import { edgesOf } from "../data/couplings";
import {
  bestFeatures,
  COMBINES,
  edgeGainOf,
  gainLinksOf,
  gainOf,
  hasGains,
  INHERITS,
  SELECTS,
  type GainLinks,
  type UnitGain,
} from "../data/gains";
import { pictureOf } from "../data/pictures";
import { interval, show } from "../draw/canvas";
import { useApp } from "./app";
import { Num } from "./hover";
import { Thumb } from "./thumb";

/** Parents and children that are listed. */
const LISTED = 6;

export function GainCard({ unit }: { unit: number }) {
  const { store } = useApp();
  const bundle = store.bundle.value;
  const own = gainOf(bundle, unit, store.still.value.step);
  if (!hasGains(bundle) || !own) return null;
  return (
    <>
      <h3>
        Construction <span class="quiet">(as at step {show(own.step, 0)}, the last observed)</span>
      </h3>
      {own.kind < INHERITS ? (
        <p class="quiet">Inactive at this step: there is nothing to compare.</p>
      ) : (
        <Added unit={unit} own={own} />
      )}
      <Since unit={unit} />
      <Features unit={unit} />
      <Gaining unit={unit} direction="down" />
      <Gaining unit={unit} direction="up" />
    </>
  );
}

function Added({ unit, own }: { unit: number; own: UnitGain }) {
  const reached = Math.round(own.p * 20) - 1;
  return (
    <>
      <p>
        Inherits <Num of="inherited" value={own.inherited} />,{" "}
        {own.gain < 0 ? "loses" : own.kind < SELECTS ? "adds no more than chance:" : "constructs"}{" "}
        <Num of="gain" value={own.gain} /> (linear <Num of="gain_linear" value={own.linear} />,
        rectified <Num of="gain_rectified" value={own.rectified} />
        ). <Num of="gain_p" value={own.p} as={() => `${reached}`} /> of 19 recombinations reach its
        selectivity of <Num of="selectivity" value={own.selectivity} />
        {own.gain > own.bound && ", and its gain is beyond the best that chance gives its layer"}.
      </p>
      <Beyond unit={unit} own={own} />
    </>
  );
}

function Beyond({ unit, own }: { unit: number; own: UnitGain }) {
  const bundle = useApp().store.bundle.value;
  const below = bundle.units.layer(unit) - 1;
  if (own.bestParent < 0 || Number.isNaN(own.emergent)) return null;
  const layer = bundle.manifest.layers[below]?.name ?? "pixels";
  const does = own.kind === COMBINES ? "Combines" : own.kind === SELECTS ? "Selects" : "Inherits";
  return (
    <p>
      {does}: <Num of="emergent" value={own.emergent} /> beyond its best parent{" "}
      <Num of="best_parent" value={own.bestParent} as={(channel) => `${layer}:${channel}`} /> (95%:{" "}
      <Num of="emergent_low" value={own.low} /> to <Num of="emergent_high" value={own.high} />
      ).
    </p>
  );
}

function Since({ unit }: { unit: number }) {
  const bundle = useApp().store.bundle.value;
  const by = bundle.array("construction_by")?.at(unit) ?? Number.NaN;
  const after = bundle.array("construction_after")?.at(unit) ?? Number.NaN;
  if (Number.isNaN(by)) return null;
  return (
    <p>
      <Num
        of="construction_by"
        value={by}
        as={(value) =>
          Number.isFinite(value)
            ? `Constructed since ${interval(after, value)}, to the end.`
            : "Not constructed to the end of this run."
        }
      />
    </p>
  );
}

function Features({ unit }: { unit: number }) {
  const { store } = useApp();
  const best = bestFeatures(store.bundle.value, unit, store.still.value.step);
  if (best.length === 0) return null;
  return (
    <>
      <h3>
        Features it gains <span class="quiet">(those no recombination reaches)</span>
      </h3>
      <ul class="rows">
        {best.map(([name, gain]) => {
          const [own, also] = name.split(" (");
          return (
            <li
              key={name}
              {...(also ? { title: `the same exemplars have ${also.slice(0, -1)}` } : {})}
            >
              <span>
                {own}
                {also && <span class="quiet"> and others</span>}
              </span>
              <span class="value">
                <Num of="best_feature_gain" value={gain} />
              </span>
            </li>
          );
        })}
      </ul>
    </>
  );
}

/** Edges at one end of a unit, the largest gain first. */
function ranked(
  links: GainLinks,
  unit: number,
  direction: "down" | "up",
  at: (e: number) => number,
) {
  return [...edgesOf(direction === "down" ? links.into : links.outOf, unit)]
    .filter((edge) => Number.isFinite(at(edge)))
    .sort((a, b) => at(b) - at(a))
    .slice(0, LISTED);
}

function Gaining({ unit, direction }: { unit: number; direction: "down" | "up" }) {
  const { store } = useApp();
  const bundle = store.bundle.value;
  const { step } = store.still.value;
  const links = gainLinksOf(bundle);
  if (!links) return null;
  const told = (edge: number) => edgeGainOf(links, bundle, edge, step);
  const found = ranked(links, unit, direction, (edge) => told(edge).gain);
  const [first] = found;
  if (first === undefined) return null;
  const ends = direction === "down" ? links.source : links.target;
  return (
    <>
      <h3>
        {direction === "down" ? "Constructed out of" : "Built on it"}{" "}
        <span class="quiet">
          (gain{direction === "down" ? " through each, mean of parents like it" : " through it"}, p;
          as at step {show(told(first).step, 0)})
        </span>
      </h3>
      <ul class="rows">
        {found.map((edge) => (
          <GainRow key={edge} other={ends[edge] ?? -1} {...told(edge)} />
        ))}
      </ul>
    </>
  );
}

interface Row {
  other: number;
  gain: number;
  matched: number;
  p: number;
}

function GainRow({ other, gain, matched, p }: Row) {
  const { store } = useApp();
  const bundle = store.bundle.value;
  return (
    <li>
      <button
        type="button"
        disabled={bundle.units.isPixel(other)}
        onClick={() => store.set({ unit: other, edge: null })}
      >
        <Thumb
          picture={pictureOf(bundle, other, bundle.manifest.steps[store.still.value.step] ?? 0)}
          side={22}
          label=""
        />
        <span class="name">{bundle.units.name(other)}</span>
        <span class="value">
          <Num of="edge_gain" value={gain} as={(v) => show(v, 3)} />
        </span>
        <span class="value quiet">
          <Num of="edge_gain_matched" value={matched} as={(v) => show(v, 3)} />
        </span>
        <span class="value quiet">
          <Num of="edge_gain_p" value={p} />
        </span>
      </button>
    </li>
  );
}
