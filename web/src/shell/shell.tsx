/** The page: bar, view, inspector, timeline, and what lies over them. */
import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { listen } from "../state/keys";
import { Timeline } from "../timeline/timeline";
import { useApp } from "./app";
import { Help } from "./help";
import { Hover } from "./hover";
import { Inspector } from "./inspector";
import { SEARCH } from "./search";
import { TopBar } from "./topbar";

export function Shell() {
  const { store, palette, views } = useApp();
  const helps = useMemo(() => signal(false), []);
  const main = useRef<HTMLElement>(null);
  useEffect(
    () =>
      listen(store, {
        views: views.map(({ key }) => key),
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
  const current = views.find(({ key }) => key === view) ?? views[0];
  useEffect(() => current?.needs.forEach((name) => store.bundle.peek().shown(name)), [current]);
  return (
    <div class="page">
      <TopBar help={() => (helps.value = true)} />
      <main ref={main}>{current && <current.Component />}</main>
      <Inspector />
      <Timeline />
      {helps.value && <Help close={() => (helps.value = false)} />}
      <Hover />
    </div>
  );
}
