/** The hover: what is under the pointer, what the number means and where it comes from. */
import { useLayoutEffect, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { ArrayName } from "../data/names";
import { show } from "../draw/canvas";
import { useApp, type App, type Tip } from "./app";

const GAP = 14;

export function Hover() {
  const { tip } = useApp();
  const box = useRef<HTMLDivElement>(null);
  const shown = tip.value;
  useLayoutEffect(() => {
    const own = box.current;
    if (!own || !shown) return;
    const { offsetWidth: w, offsetHeight: h } = own;
    const x = shown.x + GAP + w > innerWidth ? shown.x - GAP - w : shown.x + GAP;
    const y = shown.y + GAP + h > innerHeight ? shown.y - GAP - h : shown.y + GAP;
    own.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
  }, [shown]);
  if (!shown) return null;
  const { title, rows = [], note, source } = shown.tip;
  return (
    <div ref={box} class="hover" role="tooltip">
      {title !== "" && <strong>{title}</strong>}
      {rows.length > 0 && (
        <dl>
          {rows.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {note && <p>{note}</p>}
      {source && <p class="source">{source}</p>}
    </div>
  );
}

/** What is said of one value of an array of the bundle. */
export function tipOf(app: App, name: ArrayName, value: number, title: string = ""): Tip {
  const said = app.bundle.definition(name);
  const error = said && said.error > 0 ? ` ± ${said.error.toPrecision(1)} (packing)` : "";
  return {
    title,
    rows: [
      [name, Number.isFinite(value) ? `${String(+value.toPrecision(6))}${error}` : "– (missing)"],
    ],
    note: said ? `${said.definition}${said.units === "1" ? "" : ` [${said.units}]`}` : "",
    source: said?.source ?? "",
  };
}

export interface NumProps {
  of: ArrayName;
  value: number | null;
  as?: (value: number) => string;
  children?: ComponentChildren;
}

/** A number that says on hover what it is. */
export function Num({ of, value, as = show, children }: NumProps) {
  const app = useApp();
  const exact = value ?? Number.NaN;
  return (
    <span
      class="num"
      onPointerMove={(event) => {
        app.tip.value = { x: event.clientX, y: event.clientY, tip: tipOf(app, of, exact) };
      }}
      onPointerLeave={() => (app.tip.value = null)}
    >
      {children}
      {Number.isNaN(exact) ? "–" : as(exact)}
    </span>
  );
}
