/** A view's frame: a title that says what is seen, how to read it, and its files. */
import { useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { ArrayName } from "../data/names";
import { saveTable, type Table } from "../draw/download";
import { savePng, saveSvg } from "../draw/figure";
import { useApp } from "./app";

export interface FrameProps {
  title: ComponentChildren;
  how: ComponentChildren;
  name: string;
  table?: () => Table;
  tools?: ComponentChildren;
  /** Whether the title takes two lines, so that the figure keeps its place. */
  isLong?: boolean;
  /** Whether what is shown is a sketch, until the run is measured. */
  soFar?: boolean;
  /** False where there is nothing painted to be saved. */
  hasPicture?: boolean;
  children: ComponentChildren;
}

export function Frame({
  title,
  how,
  name,
  table,
  tools,
  isLong = false,
  hasPicture = true,
  soFar = false,
  children,
}: FrameProps) {
  const app = useApp();
  const figure = useRef<HTMLDivElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const fileName = () => {
    const { manifest } = app.bundle;
    return `${manifest.run.name}-${name}-step${manifest.steps[app.store.state.value.step] ?? ""}`;
  };
  const look = () => {
    const { run, steps } = app.bundle.manifest;
    const step = steps[app.store.state.value.step] ?? 0;
    const { ground, ink } = app.palette.value;
    return {
      title: heading.current?.textContent ?? name,
      below: `${run.name}, step ${step}`,
      ground,
      ink,
    };
  };
  return (
    <section class="frame" aria-label={`${name} view`}>
      <header>
        <h2 ref={heading} class={isLong ? "two" : ""}>
          {title}
        </h2>
        <p class="how">{how}</p>
        {soFar && (
          <p class="so-far" role="note">
            So far: a first look, without null or interval until the run is measured.
          </p>
        )}
        <div class="files">
          {hasPicture && (
            <>
              <button
                type="button"
                onClick={() => figure.current && void savePng(fileName(), figure.current, look())}
                aria-label={`Save the ${name} figure as PNG`}
              >
                PNG
              </button>
              <button
                type="button"
                onClick={() => figure.current && saveSvg(fileName(), figure.current, look())}
                aria-label={`Save the ${name} figure as SVG`}
              >
                SVG
              </button>
            </>
          )}
          {table && (
            <button
              type="button"
              onClick={() => saveTable(fileName(), table())}
              aria-label={`Save the data of the ${name} figure as CSV`}
            >
              CSV
            </button>
          )}
        </div>
      </header>
      {tools && <div class="tools">{tools}</div>}
      <div class="figure" ref={figure}>
        {children}
      </div>
    </section>
  );
}

/** What is not there, and why, in the place where it would be. */
export function Missing({ what, names }: { what: string; names: readonly ArrayName[] }) {
  const { store } = useApp();
  const bundle = store.bundle.value;
  const waits = names.some((name) => bundle.status(name) === "loading");
  return waits ? (
    <p class="waiting" role="status">
      Loading {what} …
    </p>
  ) : (
    <p class="absent">
      No {what} here – {bundle.why(...what.split(" ").slice(-1), ...names)}.
    </p>
  );
}
