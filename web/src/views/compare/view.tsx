/** Compare: the same view at two steps, or of two runs, side by side. */
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import type { ArrayName } from "../../data/names";
import { percent } from "../../draw/canvas";
import type { Table } from "../../draw/download";
import { AppProvider, useApp, type App } from "../../shell/app";
import { Num } from "../../shell/hover";
import { Frame } from "../../shell/frame";
import { TokenPicker } from "../../shell/token";
import { namesOfBoth } from "./differ";
import { points, Differences } from "./differences";
import { Picture } from "./sides";

/** The other step: the one chosen, else the first. */
const otherOf = (app: App): number => app.store.state.value.compare ?? 0;

const written = (step: number | undefined): string => (step ?? 0).toLocaleString("en");

/** The run that is compared with, unless two steps are. */
function besideOf(app: App): App | null {
  return app.store.still.value.against === "steps" ? null : app.beside.value;
}

export function Compare() {
  const app = useApp();
  const other = besideOf(app);
  return (
    <Frame
      name="compare"
      title={other ? runsTitle(app, other) : stepsTitle(app)}
      how={
        other
          ? "The same picture of two runs. The slider moves both, each to its recorded step that is nearest; or keep the right one at a step of its own. What is selected shows on both sides."
          : "The same picture at two steps: choose the left one here, move the right one with the slider. Everything selected shows on both sides."
      }
      table={() => tableOf(app, other)}
      tools={<Tools />}
    >
      <div class="compare">{other ? <Runs other={other} /> : <Steps />}</div>
      {other && <Differences other={other} />}
      {!other && app.beside.value === null && (
        <p class="quiet small">
          To compare with another run, such as a twin, open the page with{" "}
          <code>ontogeny view RUN --beside OTHER</code>.
        </p>
      )}
    </Frame>
  );
}

function stepsTitle(app: App): string {
  const { bundle, step } = { bundle: app.store.bundle.value, step: app.store.still.value.step };
  const [other, accuracy] = [otherOf(app), bundle.array("accuracy")];
  const gain = accuracy ? accuracy.at(step, 1) - accuracy.at(other, 1) : Number.NaN;
  const { steps } = bundle.manifest;
  const said = Number.isFinite(gain) ? `: ${points(gain)} of accuracy` : "";
  return `Step ${written(steps[other])} beside step ${written(steps[step])}${said}`;
}

function runsTitle(app: App, other: App): string {
  const names = namesOfBoth(app.store.bundle.value, other.store.bundle.value);
  const said = [app, other].map(({ store }, k) => {
    const { manifest } = store.bundle.value;
    const { step } = store.still.value;
    const accuracy = store.bundle.value.array("accuracy")?.at(step, 1) ?? Number.NaN;
    const right = Number.isFinite(accuracy) ? ` classifies ${percent(accuracy)} correctly` : "";
    return `${names[k] ?? ""}${right} at step ${written(manifest.steps[step])}`;
  });
  return said.join(", ");
}

function Tools() {
  const app = useApp();
  const { store } = app;
  const { pair } = store.still.value;
  const other = besideOf(app);
  return (
    <>
      {app.beside.value && (
        <div class="picker" role="group" aria-label="Compared with">
          {(["run", "steps"] as const).map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={(other !== null) === (one === "run")}
              onClick={() => store.set({ against: one })}
            >
              {one === "run" ? "two runs" : "two steps"}
            </button>
          ))}
        </div>
      )}
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
  );
}

function Steps() {
  const app = useApp();
  const { store } = app;
  const { steps } = store.bundle.value.manifest;
  const { step, pair } = store.still.value;
  const other = otherOf(app);
  const left = useMemo(() => () => otherOf(app), [app]);
  return (
    <>
      <div class="side">
        <p>
          <label>
            step{" "}
            <select
              value={other}
              onChange={(event) => store.set({ compare: Number(event.currentTarget.value) })}
            >
              {steps.map((one, k) => (
                <option key={one} value={k}>
                  {written(one)}
                </option>
              ))}
            </select>
          </label>
          <Accuracy step={other} />
        </p>
        <Picture key={`left ${pair}`} which="left" position={left} />
      </div>
      <div class="side">
        <p>
          <b>step {written(steps[step])}</b>
          <Accuracy step={step} />
        </p>
        <Picture key={`right ${pair}`} which="right" />
      </div>
    </>
  );
}

function Runs({ other }: { other: App }) {
  const { store } = useApp();
  const { pair } = store.still.value;
  const names = namesOfBoth(store.bundle.value, other.store.bundle.value);
  return (
    <>
      <div class="side">
        <RunHead name={names[0]} />
        <Picture key={`left ${pair}`} which="left" />
      </div>
      <AppProvider value={other}>
        <div class="side">
          <RunHead name={names[1]}>
            <OwnStep
              choose={(beside) => store.set({ beside })}
              asked={store.still.value.step}
              of={store.steps}
            />
          </RunHead>
          <Picture key={`right ${pair}`} which="right" />
        </div>
      </AppProvider>
    </>
  );
}

function RunHead({ name, children }: { name: string; children?: ComponentChildren }) {
  const { store } = useApp();
  const { manifest } = store.bundle.value;
  const { step } = store.still.value;
  return (
    <p>
      <b>{name}</b> {children ?? <>step {written(manifest.steps[step])}</>}
      <Accuracy step={step} />
    </p>
  );
}

/** Which step of the other run is shown: the nearest to the slider's, or one of its own. */
function OwnStep({
  choose,
  asked,
  of,
}: {
  choose(step: number | null): void;
  asked: number;
  of: readonly number[];
}) {
  const { store } = useApp();
  const { beside, step } = store.still.value;
  const [wanted, found] = [of[asked] ?? 0, store.steps[step] ?? 0];
  const near = wanted === found ? "the same step" : `nearest to step ${written(wanted)}`;
  return (
    <label>
      step{" "}
      <select
        value={beside ?? ""}
        onChange={(event) =>
          choose(event.currentTarget.value === "" ? null : Number(event.currentTarget.value))
        }
      >
        <option value="">
          {beside === null ? `${written(found)} (${near})` : "with the slider"}
        </option>
        {store.steps.map((one) => (
          <option key={one} value={one}>
            {written(one)}
          </option>
        ))}
      </select>
    </label>
  );
}

function Accuracy({ step }: { step: number }) {
  const { store } = useApp();
  const value = store.bundle.value.array("accuracy")?.at(step, 1) ?? null;
  return (
    <>
      <span class="quiet"> accuracy </span>
      <Num of="accuracy" value={value} as={percent} />
    </>
  );
}

function tableOf(app: App, other: App | null): Table {
  const sides: [App, number][] = other
    ? [
        [app, app.store.state.value.step],
        [other, other.store.state.value.step],
      ]
    : [
        [app, otherOf(app)],
        [app, app.store.state.value.step],
      ];
  const { tokens } = app.bundle.manifest;
  return {
    columns: ["run", "step", "loss", "accuracy", ...tokens.map((name) => `accuracy ${name}`)],
    rows: sides.map(([{ bundle }, k]) => {
      const at = (name: ArrayName, ...rest: number[]) =>
        bundle.array(name)?.at(k, 1, ...rest) ?? NaN;
      const own = tokens.map((name) => at("token_accuracy", bundle.manifest.tokens.indexOf(name)));
      const { run, steps } = bundle.manifest;
      return [run.name, steps[k] ?? 0, at("loss"), at("accuracy"), ...own];
    }),
  };
}
