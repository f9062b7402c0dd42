/** The page: bar, view, inspector, timeline, and what lies over them. */
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Categories } from "../categories/view";
import { Compare } from "../compare/view";
import { Construction } from "../construction/view";
import { Detectors } from "../detectors/view";
import { Observations } from "../observations/view";
import { listen } from "../state/keys";
import type { View } from "../state/state";
import { Timeline } from "../timeline/timeline";
import { useApp } from "./app";
import { Help } from "./help";
import { Hover } from "./hover";
import { Inspector } from "./inspector";
import { SEARCH } from "./search";
import { TopBar } from "./topbar";

const VIEW: Record<View, ComponentType> = {
  construction: Construction,
  categories: Categories,
  detectors: Detectors,
  observations: Observations,
  compare: Compare,
};

export function Shell() {
  const { store, palette } = useApp();
  const helps = useMemo(() => signal(false), []);
  const main = useRef<HTMLElement>(null);
  useEffect(
    () =>
      listen(store, {
        search: () => document.getElementById(SEARCH)?.focus(),
        help: () => (helps.value = !helps.value),
        close: () => {
          const was = helps.value;
          helps.value = false;
          return was;
        },
      }),
    [],
  );
  const isDark = palette.value.isDark;
  useEffect(() => {
    document.documentElement.dataset["theme"] = isDark ? "dark" : "light";
  }, [isDark]);
  const { view } = store.still.value;
  const Current = VIEW[view];
  return (
    <div class="page">
      <TopBar help={() => (helps.value = true)} />
      <main ref={main}>
        <Current />
      </main>
      <Inspector />
      <Timeline />
      {helps.value && <Help close={() => (helps.value = false)} />}
      <Hover />
    </div>
  );
}
