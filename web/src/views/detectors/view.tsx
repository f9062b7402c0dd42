/** Detectors: every unit of a layer as a card. */
import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { isBeyond, preferredToken, tokenSignal } from "../../data/facts";
import type { Bundle } from "../../data/bundle";
import type { ArrayName } from "../../data/names";
import type { Table } from "../../draw/download";
import { useApp, type App } from "../../shell/app";
import { Drawing, type Size } from "../../shell/drawing";
import { Frame, Missing } from "../../shell/frame";
import { TokenPicker } from "../../shell/token";
import { unitTip } from "../../shell/unit-tip";
import { inSight, ordered, ORDERS, type Order } from "./order";
import { paintCard, paintLife } from "./paint";

export const NEEDS: readonly ArrayName[] = ["unit_mean", "token_signal"];
const CARD = { width: 158, gap: 8 };

/** Index among the layers with units of the one looked at: pixels have none. */
function unitLayer(bundle: Bundle, layer: number | null): number {
  const last = bundle.manifest.layers.length - 1;
  return layer === null || layer === 0 ? Math.max(0, last - 2) : Math.min(last, layer - 1);
}

export function Detectors() {
  const app = useApp();
  const { store } = app;
  const bundle = store.bundle.value;
  const order = useMemo(() => signal<Order>("selectivity"), []);
  const { token, step } = store.still.value;
  const layer = unitLayer(bundle, store.still.value.layer);
  const ready = bundle.array("unit_mean") !== null || bundle.array("token_signal") !== null;
  const units = ready ? ordered(bundle, layer, { token, step, order: order.value }) : [];
  return (
    <Frame
      name="detectors"
      soFar={bundle.isSketch("token_response", "top_exemplar")}
      title={titleOf(bundle, layer, step)}
      how="Each card is one detector: what excites it most, how it responds to each token (bars up: more than to the others), and its life: token signal over training with its null in grey; ▲ discriminates tokens from here on, ■ keeps its token from here on, ✚ becomes inactive."
      table={() => tableOf(app, units)}
      tools={<Tools layer={layer} order={order} />}
    >
      {ready ? <Grid units={units} /> : <Missing what="detectors" names={NEEDS} />}
      {ready && units.length === 0 && (
        <p class="absent">No detector of this layer responds most to this token at this step.</p>
      )}
    </Frame>
  );
}

function Tools({ layer, order }: { layer: number; order: { value: Order } }) {
  const { store } = useApp();
  const { layers } = store.bundle.value.manifest;
  return (
    <>
      <div class="picker" role="group" aria-label="Layer">
        {layers.map(({ name, count }, k) => (
          <button
            key={name}
            type="button"
            aria-pressed={k === layer}
            onClick={() => store.set({ layer: k + 1 })}
          >
            {name} <small class="quiet">{count}</small>
          </button>
        ))}
      </div>
      <TokenPicker label="Only those that respond most to" />
      <label class="quiet">
        by{" "}
        <select
          value={order.value}
          onChange={(event) => (order.value = event.currentTarget.value as Order)}
        >
          {ORDERS.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
    </>
  );
}

function Grid({ units }: { units: readonly number[] }) {
  const { store } = useApp();
  const holder = useRef<HTMLDivElement>(null);
  const room = useMemo(() => signal({ width: 0, height: 0, scroll: 0 }), []);
  useEffect(() => {
    const own = holder.current;
    if (!own) return;
    const tell = () =>
      (room.value = { width: own.clientWidth, height: own.clientHeight, scroll: own.scrollTop });
    const observer = new ResizeObserver(tell);
    observer.observe(own);
    own.addEventListener("scroll", tell, { passive: true });
    return () => {
      observer.disconnect();
      own.removeEventListener("scroll", tell);
    };
  }, []);
  const { width, height, scroll } = room.value;
  const hasPictures =
    store.bundle.value.sheet("preferred") !== null ||
    store.bundle.value.shown("top_exemplar") !== null;
  const hasTuning = store.bundle.value.shown("token_response") !== null;
  const tall = 82 + (hasPictures ? 74 : 0) + (hasTuning ? 40 : 0);
  const columns = Math.max(1, Math.floor((width + CARD.gap) / (CARD.width + CARD.gap)));
  const wide = (width - CARD.gap * (columns - 1)) / columns;
  const nRows = Math.ceil(units.length / columns);
  const row = tall + CARD.gap;
  const { from, to } = inSight(scroll, height, row, nRows);
  return (
    <div class="cards" ref={holder} tabIndex={0} role="region" aria-label="Detectors of the layer">
      <div class="sheet" style={{ height: `${nRows * row}px` }}>
        {width > 0 &&
          units.slice(from * columns, to * columns).map((unit, k) => {
            const place = from * columns + k;
            return (
              <One
                key={unit}
                unit={unit}
                style={{
                  left: `${(place % columns) * (wide + CARD.gap)}px`,
                  top: `${Math.floor(place / columns) * row}px`,
                  width: `${wide}px`,
                  height: `${tall}px`,
                }}
              />
            );
          })}
      </div>
    </div>
  );
}

function One({ unit, style }: { unit: number; style: Record<string, string> }) {
  const app = useApp();
  const { store } = app;
  const acts = useMemo(
    () => ({
      paint: (pen: CanvasRenderingContext2D, size: Size) =>
        paintLife(pen, size, { bundle: store.bundle.value, palette: app.palette.value, unit }),
      over: (pen: CanvasRenderingContext2D, size: Size) =>
        paintCard(pen, size, {
          bundle: store.bundle.value,
          palette: app.palette.value,
          unit,
          position: store.position.value,
        }),
      hover: () => unitTip(app.bundle, unit, store.still.value.step),
    }),
    [unit],
  );
  const isChosen = store.still.value.unit === unit;
  const name = app.bundle.units.name(unit);
  return (
    <button
      type="button"
      class="card"
      style={style}
      aria-pressed={isChosen}
      aria-label={`Detector ${name}`}
      onClick={() => store.set({ unit: isChosen ? null : unit })}
    >
      <Drawing label="" {...acts} />
    </button>
  );
}

function titleOf(bundle: Bundle, layer: number, step: number): string {
  const own = bundle.manifest.layers[layer];
  const at = (bundle.manifest.steps[step] ?? 0).toLocaleString("en");
  if (!own) return "Detectors";
  const units = Array.from({ length: own.count }, (_, k) => own.first + k);
  const known = units.filter((unit) => isBeyond(bundle, unit, step) !== null);
  if (known.length === 0) return `The ${own.count} detectors of ${own.name} at step ${at}`;
  const beyond = known.filter((unit) => isBeyond(bundle, unit, step) === true).length;
  return `At step ${at}, ${beyond} of ${known.length} detectors in ${own.name} discriminate tokens beyond chance`;
}

function tableOf({ bundle, store }: App, units: readonly number[]): Table {
  const { step } = store.still.value;
  const { tokens, steps } = bundle.manifest;
  const response = bundle.shown("token_response");
  return {
    columns: ["step", "unit", "preferred_token", "token_signal", "token_signal_null", "unit_mean", ...tokens.map((t) => `response ${t}`)],
    rows: units.map((unit) => {
      const signal = tokenSignal(bundle, unit, step);
      return [
        steps[step] ?? 0, bundle.units.name(unit), tokens[preferredToken(bundle, unit, step) ?? -1] ?? "",
        signal.value, signal.null, bundle.array("unit_mean")?.at(step, unit) ?? Number.NaN,
        ...tokens.map((_, k) => response?.at(step, unit, k) ?? Number.NaN),
      ];
    }),
  }; // prettier-ignore
}
