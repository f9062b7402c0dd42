/** What signs and widths mean, and how much is not drawn. */
import type { Bundle } from "../../data/bundle";
import {
  hasGains,
  isByGain,
  kindAt,
  observedAt,
  observedSteps,
  SELECTS,
  type Observed,
} from "../../data/gains";
import { pictureOf } from "../../data/pictures";
import { css } from "../../draw/colour";
import { show } from "../../draw/canvas";
import { useApp } from "../../shell/app";
import { countConstructed } from "./constructed";
import type { Model } from "./model";
import { counted } from "./scene";

export function Legend({ made }: { made: Model }) {
  return isByGain(made.reading) ? <GainLegend made={made} /> : <CouplingLegend made={made} />;
}

/** What rings and lines of gains mean, as of which steps they are, and how much is not drawn. */
function GainLegend({ made }: { made: Model }) {
  const { store, palette } = useApp();
  const { positive, quiet, ink } = palette.value;
  const bundle = store.bundle.value;
  const { step } = store.still.value;
  const { drawn } = counted(made.scene, step);
  const { shown, total } = countUnits(made);
  const constructed = made.layout.nodes.filter(
    ({ unit, column }) => column > 0 && kindAt(bundle, unit, step) >= SELECTS,
  ).length;
  const at = (dim: Observed) => {
    const place = observedAt(bundle, dim, step);
    return place === null ? "–" : show(observedSteps(bundle, dim)[place], 0);
  };
  return (
    <div class="legend">
      <span>
        <Ring colour={ink} /> Ring: how well the unit discriminates tokens, a full circle is
        perfectly; pale: inherited, full: constructed, a second line around it: it combines.
      </span>
      <span>
        <Line colour={css(positive)} /> more gain through this parent than through any of 19 of like
        amplitude (by chance 1 parent in 20)
      </span>
      <span>
        <Line colour={css(positive)} isDashed /> too few parents to compare
      </span>
      <span>
        <Line colour={quiet} /> not more than through those
      </span>
      <span>
        Rings as at step {at("gain_step")}, lines as at step {at("edge_step")}: the last observed.
      </span>
      <span class="hidden-count">
        {constructed} of the {shown} units shown are constructed; hidden:{" "}
        {(countConstructed(bundle, step) - constructed).toLocaleString("en")} constructed ones of{" "}
        {(total - shown).toLocaleString("en")} units, and all but {drawn} of{" "}
        {(bundle.manifest.run.edges?.all ?? made.links.count).toLocaleString("en")} edges.
      </span>
    </div>
  );
}

function countUnits(made: Model): { shown: number; total: number } {
  const units = made.layout.columns.slice(1);
  const sum = (of: "shown" | "all") => units.reduce((n, column) => n + column[of], 0);
  return { shown: sum("shown"), total: sum("all") };
}

function CouplingLegend({ made }: { made: Model }) {
  const { store, palette } = useApp();
  const { positive, negative, quiet } = palette.value;
  const { step } = store.still.value;
  const { run } = store.bundle.value.manifest;
  const { drawn, above } = counted(made.scene, step);
  const filmed = filmedNow(store.bundle.value, made);
  const all = run.edges?.all ?? made.links.count;
  const { shown, total } = countUnits(made);
  const widest = made.scene.widest;
  return (
    <div class="legend">
      <span>
        <Line colour={css(positive)} />{" "}
        {made.reading.token === null ? "positive share" : "evidence for"}
      </span>
      <span>
        <Line colour={css(negative)} />{" "}
        {made.reading.token === null ? "negative: works against" : "evidence against"}
      </span>
      <span>
        <Line colour={quiet} /> below its null
      </span>
      <span>
        <i class="ghost" /> pale: does not discriminate tokens beyond chance
      </span>
      <span
        title={`Widest line of each layer: ${made.layout.columns
          .slice(1)
          .map((c, k) => `${c.name} ${show(widest[k])}`)
          .join(", ")}`}
      >
        width: size of the share, widest = {show(Math.min(...widest))} … {show(Math.max(...widest))}{" "}
        by layer
      </span>
      {filmed !== null && (
        <span>pictures: {filmed} follow the film, others as at the last step</span>
      )}
      {!hasGains(store.bundle.value) && (
        <span>No construction gains – {store.bundle.value.why("what units add", "gains")}.</span>
      )}
      <span
        class="hidden-count"
        title={run.edges ? `The page was given ${run.edges.kept} of them: ${run.edges.rule}.` : ""}
      >
        shown: {shown} of {total.toLocaleString("en")} detectors, {drawn} of{" "}
        {all.toLocaleString("en")} couplings ({above} of them above their null)
      </span>
    </div>
  );
}

/** How many of the drawn units have pictures of several steps; null where none has. */
function filmedNow(bundle: Bundle, made: Model): number | null {
  if (!bundle.manifest.sheets["film"]) return null;
  return made.layout.nodes.filter(({ unit }) => pictureOf(bundle, unit, 0)?.kind === "film").length;
}

/** A ring as the graph draws it: a pale part, a full one, and the second line. */
function Ring({ colour }: { colour: string }) {
  const part = (from: number, length: number) => ({
    "stroke-dasharray": `${length} ${1 - length}`,
    "stroke-dashoffset": -from,
    pathLength: 1,
  });
  const circle = { cx: 9, cy: 9, r: 5.4, fill: "none", stroke: colour, "stroke-width": 2.6 };
  return (
    <svg width="18" height="18" aria-hidden="true">
      <g transform="rotate(-90 9 9)">
        <circle {...circle} {...part(0, 0.3)} opacity="0.4" />
        <circle {...circle} {...part(0.3, 0.4)} />
        <circle cx="9" cy="9" r="8.2" fill="none" stroke={colour} stroke-width="1.1" />
      </g>
    </svg>
  );
}

function Line({ colour, isDashed = false }: { colour: string; isDashed?: boolean }) {
  return (
    <svg width="22" height="8" aria-hidden="true">
      <line
        x1="1"
        y1="4"
        x2="21"
        y2="4"
        stroke={colour}
        stroke-width="3"
        stroke-linecap="round"
        {...(isDashed ? { "stroke-dasharray": "5 5" } : {})}
      />
    </svg>
  );
}
