/** Categories: how the exemplars of each token come to lie together, layer by layer. */
import { signal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Bundle } from "../../data/bundle";
import { isSurelyApart } from "../../data/facts";
import type { ArrayName } from "../../data/names";
import { percent } from "../../draw/canvas";
import type { Table } from "../../draw/download";
import { useApp, type App } from "../../shell/app";
import { Frame, Missing } from "../../shell/frame";
import { TokenPicker } from "../../shell/token";
import { PANELS, type Panel } from "../../state/state";
import { Charts } from "./charts";
import { Clones } from "./clones";
import { Heat } from "./heat";
import { Likeness } from "./likeness";
import { Lives } from "./lives-panel";
import { LayerMap } from "./map";
import { Multiples, trust } from "./multiples";
import { mapPosition, placesOf } from "./places";
import { Tree } from "./tree-chart";

export const NEEDS: readonly ArrayName[] = ["map"];

/** The layer that is looked at: the one chosen, else the last before the tokens. */
export function layerOf(bundle: Bundle, layer: number | null): number {
  return layer ?? Math.max(0, bundle.layersAll().length - 2);
}

export function Categories() {
  const app = useApp();
  const { store } = app;
  const bundle = store.bundle.value;
  const pictures = useMemo(() => signal(false), []);
  const layer = layerOf(bundle, store.still.value.layer);
  const hasMap = placesOf(bundle) !== null;
  return (
    <Frame
      name="categories"
      soFar={bundle.isSketch("map", "crossnobis", "confusion")}
      title={titleOf(bundle, layer, store.still.value.step)}
      how="Each mark is one image the network never trained on. Images to which the chosen layer responds alike lie close together; axes have no meaning of their own. Apart: centres more than one spread from each other, from here on. Zoom in, or rest on a mark, to see the image."
      table={() => tableOf(app, layer)}
      tools={
        <>
          <TokenPicker label="Show one token" />
          <button
            type="button"
            aria-pressed={pictures.value}
            onClick={() => (pictures.value = !pictures.value)}
          >
            pictures
          </button>
        </>
      }
    >
      <div class="categories">
        <div class="left">
          {hasMap ? (
            <div class="map-holder">
              <LayerMap layer={layer} withPictures={pictures.value} />
              <p class="trust">{trust(app, layer)}</p>
            </div>
          ) : (
            <Missing what="maps of category structure" names={NEEDS} />
          )}
          {hasMap ? <Multiples layer={layer} /> : <LayerButtons layer={layer} />}
        </div>
        <Beside layer={layer} />
      </div>
    </Frame>
  );
}

const SHOWN: Record<Panel, { name: string; how: string; needs: ArrayName | null; what: string }> = {
  apart: { name: "apart", how: "", needs: null, what: "" },
  tree: {
    name: "tree",
    how: "Tokens that split far to the right are similar in this layer. A split is filled once half of its distance is there; splits inside the grey are within chance.",
    needs: "split_side",
    what: "token tree",
  },
  likeness: {
    name: "likeness",
    how: "Each cell holds two steps against each other (CKA; bright: the same arrangement of exemplars). Bright blocks: times of little change. Click to go to a step.",
    needs: "cka",
    what: "likeness over steps",
  },
  clones: {
    name: "clones",
    how: "Clones are noise images with each token’s mean and covariance of pixels. Where the lines part beyond the grey interval’s reach, the network uses more than those.",
    needs: "clone_accuracy",
    what: "Gaussian clones",
  },
  lives: {
    name: "lives",
    how: "Images of the probe by the step from which on they are classified correctly until the end (below each). Choose a token above to see only its own; click one to see its life.",
    needs: "kept_by",
    what: "lives of exemplars",
  },
};

function Beside({ layer }: { layer: number }) {
  const { store } = useApp();
  const { panel } = store.still.value;
  const { how, needs, what } = SHOWN[panel];
  const isThere = needs === null || store.bundle.value.array(needs) !== null;
  return (
    <div class="right">
      <div class="picker" role="group" aria-label="Shown beside the map">
        {PANELS.map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={one === panel}
            onClick={() => store.set({ panel: one })}
          >
            {SHOWN[one].name}
          </button>
        ))}
      </div>
      {how !== "" && <p class="how small">{how}</p>}
      {!isThere && needs !== null && <Missing what={what} names={[needs]} />}
      {panel === "apart" && <Heats layer={layer} />}
      {panel === "apart" && <Charts layer={layer} />}
      {isThere && panel === "tree" && <Tree layer={layer} />}
      {isThere && panel === "likeness" && <Likeness layer={layer} />}
      {isThere && panel === "clones" && <Clones />}
      {isThere && panel === "lives" && <Lives />}
    </div>
  );
}

function LayerButtons({ layer }: { layer: number }) {
  const { store } = useApp();
  return (
    <div class="picker" role="group" aria-label="Layers">
      {store.bundle.value.layersAll().map((name, k) => (
        <button
          key={name}
          type="button"
          aria-pressed={k === layer}
          onClick={() => store.set({ layer: k })}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

function Heats({ layer }: { layer: number }) {
  const { store } = useApp();
  const bundle = store.bundle.value;
  const name = bundle.layersAll()[layer] ?? "";
  const rdm = useMemo(
    () => (app: App, step: number, a: number, b: number) => distance(app, layer, step, a, b),
    [layer],
  );
  const [hasRdm, hasConfusion] = [bundle.shown("crossnobis"), bundle.shown("confusion")];
  return (
    <div class="heats">
      {hasRdm && (
        <Heat
          of={bundle.nameOf("crossnobis")}
          title={`how far apart in ${name}`}
          value={rdm}
          most={(app) => farthest(app, layer)}
          signed
          say={(a, b) => `${a} – ${b}`}
        />
      )}
      {hasConfusion && (
        <Heat
          of={bundle.nameOf("confusion")}
          title="row is classified as column"
          value={called}
          most={() => 1}
          signed={false}
          say={(a, b) => `${a} classified as ${b}`}
        />
      )}
    </div>
  );
}

const called = (app: App, step: number, a: number, b: number): number =>
  app.bundle.shown("confusion")?.at(step, a, b) ?? Number.NaN;

/** Distance of two tokens in one of all layers; the sketch knows no distances of pixels. */
function distance({ bundle }: App, layer: number, step: number, a: number, b: number): number {
  const own = bundle.shown("crossnobis");
  const named = bundle.coordinate(own?.dims[1] ?? "").map(String);
  const place = named.length > 0 ? named.indexOf(bundle.layersAll()[layer] ?? "") : layer;
  return own?.at(step, place, a, b) ?? Number.NaN;
}

/** Largest distance of two tokens in a layer over all steps, so that colours mean the same. */
function farthest(app: App, layer: number): number {
  const n = app.bundle.manifest.tokens.length;
  let most = 0;
  for (let k = 0; k < app.store.steps.length; k++) {
    for (let a = 0; a < n; a++)
      for (let b = 0; b < a; b++)
        most = Math.max(most, Math.abs(distance(app, layer, k, a, b)) || 0);
  }
  return most;
}

export function titleOf(bundle: Bundle, layer: number, step: number): string {
  const { steps, tokens } = bundle.manifest;
  const [name, at] = [bundle.layersAll()[layer] ?? "", steps[step] ?? 0];
  const by = bundle.array("apart_by");
  if (by) {
    const pairs = (tokens.length * (tokens.length - 1)) / 2;
    let found = 0;
    for (let a = 0; a < tokens.length; a++)
      for (let b = 0; b < a; b++) if (by.at(layer, a, b) <= at) found++;
    const doubt =
      found === pairs && !isSurelyApart(bundle, layer, step) ? ", the closest two not surely" : "";
    return `At step ${at.toLocaleString("en")}, ${name} separates ${found} of ${pairs} pairs of tokens${doubt}`;
  }
  const readout = bundle.array("readout")?.at(step, layer) ?? Number.NaN;
  if (Number.isFinite(readout))
    return `At step ${at.toLocaleString("en")}, a linear readout of ${name} is right for ${percent(readout)} of new images`;
  return `How ${name} arranges the exemplars at step ${at.toLocaleString("en")}`;
}

function tableOf(app: App, layer: number): Table {
  const { bundle, store } = app;
  const places = placesOf(bundle);
  const own = places?.layer(layer) ?? -1;
  const step = store.steps[store.still.value.step] ?? 0;
  const at = places ? mapPosition(places, step) : 0;
  const rows = Array.from({ length: places?.count ?? 0 }, (_, e) => [
    step,
    bundle.layersAll()[layer] ?? "",
    bundle.array("exemplar_id")?.at(e) ?? e,
    bundle.manifest.tokens[bundle.array("exemplar_token")?.at(e) ?? -1] ?? "",
    places?.field.between(at, own, e, 0) ?? Number.NaN,
    places?.field.between(at, own, e, 1) ?? Number.NaN,
  ]);
  return { columns: ["step", "layer", "exemplar", "token", "x", "y"], rows };
}
