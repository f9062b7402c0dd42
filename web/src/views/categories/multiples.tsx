/** One small map for each layer: choose a layer by what it makes of the exemplars. */
import { useMemo } from "preact/hooks";
import type { ArrayName } from "../../data/names";
import { percent, show } from "../../draw/canvas";
import { useApp } from "../../shell/app";
import { Drawing, type Size } from "../../shell/drawing";
import { stepAt } from "../../state/state";
import { paintMap, spotsOn } from "./map";
import { mapPosition, placesOf } from "./places";

const STILL = { zoom: 1, x: 0, y: 0 };

export function Multiples({ layer }: { layer: number }) {
  const { store } = useApp();
  return (
    <div class="multiples" role="group" aria-label="Layers">
      {store.bundle.value.layersAll().map((name, k) => (
        <button
          key={name}
          type="button"
          aria-pressed={k === layer}
          aria-label={`Layer ${name}`}
          onClick={() => store.set({ layer: k })}
        >
          <Small layer={k} />
          <span>{name}</span>
        </button>
      ))}
    </div>
  );
}

function Small({ layer }: { layer: number }) {
  const app = useApp();
  const paint = useMemo(
    () => (pen: CanvasRenderingContext2D, size: Size) =>
      paintMap(pen, app, spotsOn(app, layer, app.store.still.value.step, size, STILL), {
        hovered: null,
        pictures: false,
        radius: 1.2,
      }),
    [layer],
  );
  return <Drawing label="" paint={paint} />;
}

/** How far the map can be trusted, in words. */
export function trust(app: ReturnType<typeof useApp>, layer: number): string {
  const places = placesOf(app.bundle);
  if (!places) return "";
  const step = Math.round(mapPosition(places, stepAt(app.store.still.value.step, app.store.steps)));
  const own = places.layer(layer);
  if (app.bundle.isSketch("map")) {
    const held = percent(app.bundle.array("sketch_map_share")?.at(step, own) ?? null);
    return `a plain projection so far: its two axes hold ${held} of the variance`;
  }
  const at = (name: ArrayName) => show(app.bundle.array(name)?.at(step, own));
  return `trustworthiness ${at("trustworthiness")}, jitter between maps ${at("jitter")}, maps at ${places.steps.length} steps`;
}
