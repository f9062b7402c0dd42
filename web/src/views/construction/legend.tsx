/** What signs and widths mean, and how much is not drawn. */
import type { Bundle } from "../../data/bundle";
import { pictureOf } from "../../data/pictures";
import { css } from "../../draw/colour";
import { show } from "../../draw/canvas";
import { useApp } from "../../shell/app";
import type { Model } from "./model";
import { counted } from "./scene";

export function Legend({ made }: { made: Model }) {
  const { store, palette } = useApp();
  const { positive, negative, quiet } = palette.value;
  const { step } = store.still.value;
  const { run } = store.bundle.value.manifest;
  const { drawn, above } = counted(made.scene, step);
  const filmed = filmedNow(store.bundle.value, made);
  const all = run.edges?.all ?? made.couplings.count;
  const units = made.layout.columns.slice(1);
  const [shown, total] = [
    units.reduce((n, c) => n + c.shown, 0),
    units.reduce((n, c) => n + c.all, 0),
  ];
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

function Line({ colour }: { colour: string }) {
  return (
    <svg width="22" height="8" aria-hidden="true">
      <line x1="1" y1="4" x2="21" y2="4" stroke={colour} stroke-width="3" stroke-linecap="round" />
    </svg>
  );
}
