/** Compare: the same view at two steps, side by side. */
import { useMemo } from "preact/hooks";
import { layerOf } from "../categories/view";
import { LayerMap } from "../categories/map";
import { placesOf } from "../categories/places";
import { Graph, useConstruction } from "../construction/view";
import { percent } from "../draw/canvas";
import { useApp, type App } from "../shell/app";
import { Num } from "../shell/hover";
import { Frame, Missing } from "../shell/frame";
import { TokenPicker } from "../shell/token";

/** The other step: the one chosen, else the first. */
const otherOf = (app: App): number => app.store.state.value.compare ?? 0;

export function Compare() {
  const app = useApp();
  const { store } = app;
  const { manifest } = store.bundle.value;
  const { step, pair } = store.still.value;
  const other = otherOf(app);
  const at = (k: number) => (manifest.steps[k] ?? 0).toLocaleString("en");
  const accuracy = store.bundle.value.array("accuracy");
  const gain = accuracy ? accuracy.at(step, 1) - accuracy.at(other, 1) : Number.NaN;
  const points = Number.isFinite(gain)
    ? `: ${gain < 0 ? "−" : "+"}${Math.abs(Math.round(gain * 100))} points of accuracy`
    : "";
  return (
    <Frame
      name="compare"
      title={`Step ${at(other)} beside step ${at(step)}${points}`}
      how="The same picture at two steps: choose the left one here, move the right one with the slider. Everything selected shows on both sides."
      table={() => ({
        columns: ["step", "loss", "accuracy"],
        rows: [other, step].map((k) => [
          manifest.steps[k] ?? 0,
          app.bundle.array("loss")?.at(k, 1) ?? Number.NaN,
          accuracy?.at(k, 1) ?? Number.NaN,
        ]),
      })}
      tools={
        <>
          <div class="picker" role="group" aria-label="What is compared">
            {(["categories", "construction"] as const).map((name) => (
              <button
                key={name}
                type="button"
                aria-pressed={pair === name}
                onClick={() => store.set({ pair: name })}
              >
                {name}
              </button>
            ))}
          </div>
          <TokenPicker />
        </>
      }
    >
      <div class="compare">
        <Side which="left" step={other} />
        <Side which="right" step={step} />
      </div>
    </Frame>
  );
}

function Side({ which, step }: { which: "left" | "right"; step: number }) {
  const app = useApp();
  const { store } = app;
  const { steps } = store.bundle.value.manifest;
  const { pair } = store.still.value;
  return (
    <div class="side">
      <p>
        {which === "left" ? (
          <label>
            step{" "}
            <select
              value={step}
              onChange={(event) => store.set({ compare: Number(event.currentTarget.value) })}
            >
              {steps.map((one, k) => (
                <option key={one} value={k}>
                  {one.toLocaleString("en")}
                </option>
              ))}
            </select>
          </label>
        ) : (
          <b>step {(steps[step] ?? 0).toLocaleString("en")}</b>
        )}
        <span class="quiet"> accuracy </span>
        <Num
          of="accuracy"
          value={store.bundle.value.array("accuracy")?.at(step, 1) ?? null}
          as={percent}
        />
      </p>
      {pair === "categories" ? (
        <MapSide key={which} which={which} />
      ) : (
        <GraphSide key={which} which={which} />
      )}
    </div>
  );
}

function usePosition(app: App, which: "left" | "right") {
  return useMemo(() => () => (which === "left" ? otherOf(app) : app.store.position.value), [which]);
}

function MapSide({ which }: { which: "left" | "right" }) {
  const app = useApp();
  const position = usePosition(app, which);
  const bundle = app.store.bundle.value;
  if (placesOf(bundle) === null)
    return <Missing what="maps of category structure" names={["map"]} />;
  return <LayerMap layer={layerOf(bundle, app.store.still.value.layer)} position={position} />;
}

function GraphSide({ which }: { which: "left" | "right" }) {
  const app = useApp();
  const own = useConstruction(app, usePosition(app, which));
  if (own.made.value === null)
    return <Missing what="couplings" names={["coupling", "edge_source", "edge_target"]} />;
  return <Graph own={own} label={`Coupling graph, ${which} step`} />;
}
